// One holder of leases with a ledger of its own, as a process of the proxy has it, and clients that call it as agents do.
import { randomUUID } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DatabasePool } from 'slonik'
import { startLedger } from '../../ledger.ts'
import { noUsage, toBegun, toEndedLine, toFacts } from '../../ledger-line.ts'
import { createPrices } from '../../prices/prices.ts'
import { Refusal } from '../../refusal.ts'
import { startBudgets } from '../budgets.ts'
import { flat, quiet, spenderOf } from './bank.ts'

const config = {
  syncMs: 60_000,
  shipMs: 50,
  segmentBytesMax: 64 * 1024,
  backlogBytesMax: 64 * 1024 * 1024,
}
const caller = { org: 'north', user: 'mia', key: 'key-1', team: null, sandbox: null }

type Options = {
  db: DatabasePool
  folder: string
  now?: () => Date
  waitMs?: number
  /** Where the upstream writes down what it charged, a line a call. */
  bill?: string
}

export async function startHolder({
  db,
  folder,
  now = () => new Date(),
  waitMs = 500,
  bill,
}: Options) {
  const owned = new AsyncDisposableStack()
  const prices = createPrices({ own: [], shipped: [], now })
  const ledger = owned.use(await startLedger({ folder, config, db, log: quiet, now, prices }))
  const made = { db, log: quiet, now, holder: ledger.journal, pollMs: 100, waitMs }
  const budgets = owned.use(await startBudgets(made))

  /** Reserves, books, is sent, ends and settles; the upstream charges `cost` before anybody here knows. */
  const call = async (bound: number, cost: number, ms: number): Promise<void> => {
    const spender = spenderOf()
    const wanted = { outputTokens: 1, inputTokens: 1 }
    const held = await budgets.reserve(spender, flat(bound, 1), wanted)
    const known = {
      id: randomUUID(),
      caller,
      provider: 'p',
      model: 'm-1',
      wire: 'chat',
      beganAt: now(),
    }
    const facts = toFacts({ ...known, wire: 'chat' }, false)
    const begun = { ...toBegun(facts, 'openai', 10), holds: held.toLine() }
    await ledger.begin(begun)
    if (bill) appendFileSync(bill, `${cost}\n`)
    await sleep(ms)
    const spent = { nanoUsd: cost, tokens: 1 }
    held.settle(spent)
    const line = toEndedLine(begun.head, {
      state: 'settled',
      status: 200,
      usage: noUsage,
      costNanoUsd: cost,
      endedAt: now(),
      holds: held.toLine(spent),
    })
    ledger.end(facts.id, line)
  }

  /** Calls again and again, until a budget is spent for good; told to wait, it waits. */
  const client = async (boundMax: number): Promise<void> => {
    for (;;) {
      const bound = Math.ceil(boundMax * (0.1 + 0.9 * Math.random()))
      const cost = Math.floor(bound * Math.random())
      try {
        await call(bound, cost, 2 + 10 * Math.random())
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        if (error.code === 'budget/usd') return
        await sleep(20 + 30 * Math.random())
      }
    }
  }
  return { budgets, ledger, call, client, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}
