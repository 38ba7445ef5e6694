// Whether a call may be made, by the policies that hold for its caller. All of them must let it pass; of limits the
// stricter counts. A pure decision over what is in memory.
import type { Caller } from '../caller.ts'
import type { RefusalCode } from '../errors.ts'
import { Refusal } from '../refusal.ts'
import type { Lists, Logging, NewPolicy } from './api.ts'
import { loggings } from './api.ts'

/** What counts here of a call, as the scan of its body finds it. */
export type CallFacts = {
  outputTokens: number | null
  /** A lower bound is refused by the vendor. */
  outputTokensMin?: number
  tools: readonly string[]
  serverTools: readonly string[]
}
export type Scoped = { scope: string; policy: NewPolicy }
export type Check = { rule: string; scope: string; isAllowed: boolean; say: string }

/** What else the call is held to, once it may be made. */
export type Verdict = {
  regions: readonly string[] | null
  retention: readonly string[]
  /** The most tokens an answer may have; null = as asked. A call that asks for more was refused, or is to be clipped. */
  outputTokensMax: number | null
  logging: Logging
  onClientLeft: 'cancel' | 'drain'
}
const openVerdict: Verdict = {
  regions: null,
  retention: [],
  outputTokensMax: null,
  logging: 'full',
  onClientLeft: 'cancel',
}

type Asked = { caller: Caller; model: string; facts: CallFacts }

/** Throws the refusal of the first rule that the call breaks. */
export function judge(asked: Asked, scoped: readonly Scoped[]): Verdict {
  assertSandbox(asked)
  if (scoped.length === 0) return openVerdict
  for (const { scope, policy } of scoped) {
    for (const rule of rules) {
      const say = rule.findBreach(policy, asked)
      if (say !== null) throw new Refusal(rule.code, `${say} ${toWhose(scope)}`)
    }
  }
  return toVerdict(asked.caller, scoped)
}

/** The same, for a person who asks why: every rule of every policy, with what it says. */
export function explainPolicies(asked: Asked, scoped: readonly Scoped[]): Check[] {
  const model = findSandboxBreach(asked)
  const own: Check[] = asked.caller.sandbox
    ? [{ rule: 'model', scope: 'sandbox', isAllowed: model === null, say: model ?? '' }]
    : []
  const checks = scoped.flatMap(({ scope, policy }) =>
    rules.map(({ name, findBreach }): Check => {
      const say = findBreach(policy, asked)
      return { rule: name, scope, isAllowed: say === null, say: say ?? '' }
    }),
  )
  return [...own, ...checks]
}

/** **Security.** Deny by default: a sandbox's token names the one model it is good for, and no policy adds to it. */
function assertSandbox(asked: Asked): void {
  const say = findSandboxBreach(asked)
  if (say !== null) throw new Refusal('model/refused', say)
}

function findSandboxBreach({ caller, model }: Asked): string | null {
  const claims = caller.sandbox
  if (!claims || claims.model === model) return null
  return `The loop names ${claims.model}, and this call asks for ${model}.`
}

const toWhose = (scope: string) =>
  scope === 'org'
    ? 'An owner can change the policy of the organisation.'
    : `An owner can change the policy ${scope}.`

type Rule = {
  name: string
  code: RefusalCode
  /** What is wrong, as a sentence; null = nothing. */
  findBreach(policy: NewPolicy, asked: Asked): string | null
}

const rules: readonly Rule[] = [
  {
    name: 'models',
    code: 'policy/model',
    findBreach: ({ models }, { model }) =>
      isAllowed(models, model) ? null : `${model} is not among the models it may use.`,
  },
  {
    name: 'output',
    code: 'policy/output',
    findBreach: ({ outputTokensMax: most, outputOver }, { facts }) => {
      if (most === null) return null
      const { outputTokensMin: fewest = 0 } = facts
      if (outputOver === 'clip' && fewest <= most) return null
      if (fewest > most)
        return `It may think ${fewest - 1} tokens, and ${most} is the most of an answer.`
      const asked = facts.outputTokens
      if (asked === null) return `Say how many tokens the answer may have, ${most} at most.`
      return asked <= most ? null : `It asks for ${asked} tokens, and ${most} is the most.`
    },
  },
  {
    name: 'tools',
    code: 'policy/tool',
    findBreach: ({ tools }, { facts }) => findForbidden(tools, facts.tools),
  },
  {
    name: 'server-tools',
    code: 'policy/tool',
    findBreach: ({ serverTools }, { facts }) => findForbidden(serverTools, facts.serverTools),
  },
]

function findForbidden(lists: Lists, names: readonly string[]): string | null {
  if (lists.allow === null && lists.deny.length === 0) return null
  const found = names.find((name) => !isAllowed(lists, name))
  return found === undefined ? null : `The tool ${found} is not among those it may use.`
}

/** Whether all policies let a model pass. */
export const isModelAllowed = (scoped: readonly Scoped[], model: string): boolean =>
  scoped.every(({ policy }) => isAllowed(policy.models, model))

const isAllowed = ({ allow, deny }: Lists, name: string) =>
  !isAmong(deny, name) && (allow === null || isAmong(allow, name))

/** By name, or by a prefix and a star. */
export const isAmong = (patterns: readonly string[], name: string): boolean =>
  patterns.some((pattern) =>
    pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name,
  )

/** What a sandbox began ends with it: what came later would be missing from its pass's record, and from the loop's caps. */
export function toVerdict(
  { sandbox }: Pick<Caller, 'sandbox'>,
  scoped: readonly Scoped[],
): Verdict {
  const policies = scoped.map(({ policy }) => policy)
  const isDraining =
    !sandbox &&
    policies.some(({ onClientLeft }) => onClientLeft === 'drain') &&
    !policies.some(({ onClientLeft }) => onClientLeft === 'cancel')
  return policies.reduce<Verdict>(
    (verdict, { regions, retention, outputTokensMax, logging }) => ({
      onClientLeft: isDraining ? 'drain' : 'cancel',
      regions: intersect(verdict.regions, regions),
      retention: [...new Set([...verdict.retention, ...retention])],
      outputTokensMax: lower(verdict.outputTokensMax, outputTokensMax),
      logging: loggings[Math.min(loggings.indexOf(verdict.logging), loggings.indexOf(logging))]!,
    }),
    openVerdict,
  )
}

const intersect = (one: readonly string[] | null, other: readonly string[] | null) =>
  one === null || other === null ? (one ?? other) : one.filter((name) => other.includes(name))

/** The lower of two limits, where null is none. */
export const lower = (one: number | null, other: number | null): number | null =>
  one === null || other === null ? (one ?? other) : Math.min(one, other)
