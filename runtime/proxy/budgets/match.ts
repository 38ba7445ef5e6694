// Which budgets a call counts in. Remembered for each asker and model, for it is asked at every call.
import { Account } from './account.ts'
import { type Budget, matchesModel } from './budget.ts'
import { planWindow, type Span } from './window.ts'

export type Spender = {
  org: string
  team: string | null
  user: string
  key: string | null
  loop: string | null
  sandbox: string | null
  model: string
}

/** A budget with its accounts: one for the window of the moment, and those that calls still end in. */
export class LiveBudget {
  budget: Budget
  readonly accounts = new Map<number, Account>()
  /** The newest window that was let go of. */
  droppedStartMs = Number.NEGATIVE_INFINITY
  isGone = false

  constructor(budget: Budget) {
    this.budget = budget
  }

  become(budget: Budget, atMs: number): void {
    this.budget = budget
    for (const account of this.accounts.values()) account.become(budget, atMs)
  }

  accountAt(atMs: number): Account {
    const { window, zone } = this.budget
    const span = planWindow(window, zone, atMs)
    const known = this.accounts.get(span.startMs)
    if (known) {
      known.become(this.budget, atMs)
      return known
    }
    const made = new Account(this.budget, span)
    made.become(this.budget, atMs)
    made.mustRead = span.startMs <= this.droppedStartMs
    this.accounts.set(span.startMs, made)
    return made
  }

  drop(account: Account): void {
    this.accounts.delete(account.startMs)
    this.droppedStartMs = Math.max(this.droppedStartMs, account.startMs)
  }
}

/** What one asker's calls of one model count in. */
export class Matched {
  readonly spender: Spender
  readonly budgets: readonly LiveBudget[]
  accounts: readonly Account[] = []
  /** Of each, whether calls hold in it. */
  isHeld: readonly boolean[] = []
  /** The accounts as a line of the ledger names them. */
  marks = ''
  #span: Span = { startMs: Number.POSITIVE_INFINITY, endMs: Number.NEGATIVE_INFINITY }

  constructor(spender: Spender, budgets: LiveBudget[]) {
    this.spender = spender
    this.budgets = budgets
  }

  isOf({ team, user, key, loop, sandbox }: Spender): boolean {
    const known = this.spender
    return (
      known.user === user &&
      known.key === key &&
      known.sandbox === sandbox &&
      known.loop === loop &&
      known.team === team
    )
  }

  /** Its accounts in the windows of the moment, whichever way the clock went. */
  at(atMs: number): this {
    if (atMs < this.#span.startMs || atMs >= this.#span.endMs) this.#roll(atMs)
    return this
  }

  #roll(atMs: number): void {
    this.accounts = this.budgets.map((live) => live.accountAt(atMs))
    this.isHeld = this.accounts.map(({ isBlocking }) => isBlocking)
    this.marks = this.accounts.map(({ mark }) => mark).join(',')
    this.#span = {
      startMs: Math.max(0, ...this.accounts.map(({ startMs }) => startMs)),
      endMs: Math.min(Number.POSITIVE_INFINITY, ...this.accounts.map((one) => endOf(one, atMs))),
    }
  }
}

/** The next moment at which it must be looked at again. */
const endOf = ({ endMs, budget: { raise } }: Account, atMs: number) =>
  raise !== null && raise.untilMs > atMs ? Math.min(endMs, raise.untilMs) : endMs

export type Matcher = {
  find(spender: Spender): Matched
  /** Adds, or takes over a change. */
  put(budget: Budget, atMs: number): LiveBudget
  remove(id: number): LiveBudget | undefined
  /** Forgets what was found for an organisation. */
  forget(org: string): void
  all(): Iterable<LiveBudget>
  get(id: number): LiveBudget | undefined
}

const foundMax = 20_000 // 300 bytes each, for one organisation. Model names come from clients.

/** One organisation's budgets by whom they are for. */
type Org = {
  bySubject: Map<string, LiveBudget[]>
  /** Of models by the beginning of their names. */
  patterns: LiveBudget[]
  found: Map<string, Map<string, Matched>>
  foundCount: number
}

export function createMatcher(): Matcher {
  const live = new Map<number, LiveBudget>()
  const orgs = new Map<string, Org>()
  const none = new Matched(
    { org: '', team: null, user: '', key: null, loop: null, sandbox: null, model: '' },
    [],
  )

  const forget = (name: string) => {
    const org = orgs.get(name)
    if (!org) return
    org.found = new Map()
    org.foundCount = 0
  }

  const leave = ({ budget }: LiveBudget) => {
    const org = orgs.get(budget.org)
    if (!org) return
    const others = (list: LiveBudget[]) => list.filter((one) => one.budget.id !== budget.id)
    const subject = subjectOf(budget)
    const kept = others(org.bySubject.get(subject) ?? [])
    if (kept.length > 0) org.bySubject.set(subject, kept)
    else org.bySubject.delete(subject)
    org.patterns = others(org.patterns)
    if (org.bySubject.size === 0 && org.patterns.length === 0) orgs.delete(budget.org)
  }

  const enter = (one: LiveBudget) => {
    const { budget } = one
    if (!budget.enabled) return
    const org = orgs.get(budget.org) ?? makeOrg()
    orgs.set(budget.org, org)
    if (budget.level === 'model' && budget.subject!.endsWith('*')) org.patterns.push(one)
    else {
      const subject = subjectOf(budget)
      org.bySubject.set(subject, [...(org.bySubject.get(subject) ?? []), one])
    }
  }

  return {
    find(spender) {
      const org = orgs.get(spender.org)
      if (!org) return none
      const asker = spender.sandbox ?? spender.key ?? spender.user
      const known = org.found.get(asker)?.get(spender.model)
      return known?.isOf(spender) ? known : remember(org, asker, spender)
    },
    put(budget, atMs) {
      const known = live.get(budget.id)
      const one = known ?? new LiveBudget(budget)
      if (known) leave(known)
      one.become(budget, atMs)
      live.set(budget.id, one)
      enter(one)
      forget(budget.org)
      return one
    },
    remove(id) {
      const one = live.get(id)
      if (!one) return undefined
      leave(one)
      forget(one.budget.org)
      live.delete(id)
      return one
    },
    forget,
    all: () => live.values(),
    get: (id) => live.get(id),
  }
}

const makeOrg = (): Org => ({
  bySubject: new Map(),
  patterns: [],
  found: new Map(),
  foundCount: 0,
})

function remember(org: Org, asker: string, spender: Spender): Matched {
  if (org.foundCount >= foundMax) {
    org.found = new Map()
    org.foundCount = 0
  }
  const made = new Matched({ ...spender }, match(org, spender))
  const byModel = org.found.get(asker) ?? new Map<string, Matched>()
  byModel.set(spender.model, made)
  org.found.set(asker, byModel)
  org.foundCount += 1
  return made
}

/** Ids of levels are told apart by the level before them. */
const subjectOf = ({ level, subject }: Pick<Budget, 'level' | 'subject'>) =>
  `${level} ${subject ?? ''}`

function match(org: Org, { team, user, key, loop, sandbox, model }: Spender): LiveBudget[] {
  const at = (level: Budget['level'], subject: string | null) =>
    level !== 'org' && subject === null
      ? []
      : (org.bySubject.get(subjectOf({ level, subject })) ?? [])
  const found = [
    at('org', null),
    at('team', team),
    at('user', user),
    at('key', key),
    at('loop', loop),
    at('sandbox', sandbox),
    at('model', model),
    org.patterns.filter(({ budget }) => matchesModel(budget.subject!, model)),
  ].flat()
  return found.filter(({ budget }) => budget.model === null || matchesModel(budget.model, model))
}
