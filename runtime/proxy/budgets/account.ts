// What this process has of one budget in one window: leased, spent, held by calls, free. Numbers alone, no clock, no
// database. Always: granted = returned + spent + held + free, where free is below zero when more was spent than leased.
import { amountAt, type Budget, sliceOf } from './budget.ts'
import type { Span } from './window.ts'

/** What a call takes of each unit. A request is always one. */
export type Amounts = { nanoUsd: number; tokens: number }

/** Above all amounts of budgets, and exact as a number: what is more, or no number, counts as this much. */
const mostAmount = 9_000_000_000_000_001

/** A whole amount, whatever came: nothing that is no number may make room. */
export const toWhole = (amount: number): number =>
  amount >= 0 && amount < mostAmount ? Math.ceil(amount) : amount < 0 ? 0 : mostAmount

const unitCodes = { usd: 0, tokens: 1, requests: 2 } as const

/** What the database said last of all holders together. */
export type Known = {
  amount: number
  /** Spent by the others, and leased to them without being spent. */
  othersSpent: number
  othersHeld: number
  /** Not leased to anybody. */
  left: number
  atMs: number
}

export class Account {
  readonly budgetId: number
  readonly startMs: number
  readonly endMs: number
  /** 0 = dollars, 1 = tokens, 2 = requests: compared at every call. */
  readonly unitCode: 0 | 1 | 2
  /** How a line of the ledger names it. */
  readonly mark: string
  budget: Budget
  isBlocking = true
  isGone = false

  granted = 0
  returned = 0
  spent = 0
  held = 0
  free = 0
  /** The least that was free since the last look: what nobody needed. */
  freeMin = 0
  /** Below it, more is leased in the background. */
  low = 0

  /** Of the last message that was answered. */
  seq = 0
  /** It was here before and left: what the database has of it is read first. */
  mustRead = false
  known: Known | null = null
  /** Something is to be said to the database, or was and has no answer yet. */
  isDue = false
  /** The last message failed, so nothing is known since. */
  isUnknown = false
  /** The number of the statement that was answered last. */
  answeredNumber = 0
  /** What was given back as the database has it. */
  returnedKnown = 0
  /** Is to be leased ahead. */
  isLow = false
  /** What it allowed at the last look, to see it shrink. */
  amountSeen = 0
  usedMs = Number.NEGATIVE_INFINITY
  /** When there was nothing left: no asking ahead for a while. */
  dryAtMs = Number.NEGATIVE_INFINITY

  constructor(budget: Budget, { startMs, endMs }: Span) {
    this.budget = budget
    this.budgetId = budget.id
    this.startMs = startMs
    this.endMs = endMs
    this.unitCode = unitCodes[budget.unit]
    this.mark = `[${budget.id},${this.unitCode},${startMs / 1_000}]`
  }

  /** Takes over a changed budget, or the end of a raise. What was leased under a larger amount is leased anew. */
  become(budget: Budget, atMs: number): void {
    this.budget = budget
    this.isBlocking = budget.enforce === 'refuse'
    const amount = amountAt(budget, atMs)
    if (amount < this.amountSeen && this.free > 0) this.giveBack(this.free)
    this.amountSeen = amount
    this.low = this.isBlocking ? sliceOf(amount) / 2 : 0
  }

  needOf({ nanoUsd, tokens }: Amounts): number {
    return this.unitCode === 0 ? nanoUsd : this.unitCode === 1 ? tokens : 1
  }

  hold(amount: number): void {
    this.free -= amount
    this.held += amount
    if (this.free < this.freeMin) this.freeMin = this.free
  }

  /** A hold ends as spent: more than was held is charged as well, and may bring what is free below zero. */
  settle(held: number, spent: number): void {
    this.held -= held
    this.free += held - spent
    this.spent += spent
    if (this.free < this.freeMin) this.freeMin = this.free
  }

  /** Takes what is free out of use. It is the database's again with the next message. */
  giveBack(amount: number): void {
    this.free -= amount
    this.returned += amount
    if (this.free < this.freeMin) this.freeMin = this.free
  }

  /** What was leased, as the database counts it: a repeated answer changes nothing. */
  takeGranted(granted: number): void {
    this.free += granted - this.granted
    this.granted = granted
  }

  /** What is certainly spent, by all; null = the database has not said yet. Never less later in the same window. */
  usedSurely(): number | null {
    return this.known === null ? null : this.known.othersSpent + this.spent
  }
}
