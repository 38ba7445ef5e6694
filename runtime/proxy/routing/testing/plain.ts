// Plain values for tests of decisions: no sockets, no database.
import { Secret } from '#kernel/secret.ts'
import type { SandboxClaims } from '#kernel/tokens.ts'
import type { Caller } from '../../caller.ts'
import { NewPolicy, type NewPolicyInput } from '../../policy/api.ts'
import type { Scoped } from '../../policy/verdict.ts'
import type { LiveProvider } from '../../providers.ts'
import { NewRoute, type NewRouteInput, type Route } from '../api.ts'
import { createHealth } from '../health.ts'
import { createRouter, type RouteAsked, type RulesInMemory } from '../router.ts'

export const provider = (name: string, more: Partial<LiveProvider> = {}): LiveProvider => ({
  ...{ id: `id-${name}`, org: 'north', name, kind: 'anthropic', baseUrl: 'https://a.example' },
  ...{ allowPrivate: false, models: new Set(['m-1']), createdAt: 0, prefix: '', vaulted: [] },
  ...{ key: new Secret('k'), upstream: undefined as never, callsMax: null, region: null },
  ...{ retention: [], proxyUrl: null, ca: null, expiresAt: null },
  ...more,
})

export const route = (more: Partial<NewRouteInput> = {}): Route => ({
  ...NewRoute.parse({
    name: 'main',
    match: { models: ['m-1'] },
    targets: [{ provider: 'a' }, { provider: 'b' }, { provider: 'c' }],
    ...more,
  }),
  createdAt: '2026-01-01T00:00:00.000Z',
})

export const policy = (more: NewPolicyInputPart = {}) =>
  NewPolicy.parse({ models: undefined, tools: undefined, serverTools: undefined, ...more })
type NewPolicyInputPart = Partial<NewPolicyInput>

export const scoped = (more: NewPolicyInputPart, scope = 'org'): Scoped => ({
  scope,
  policy: policy(more),
})

export const caller = (more: Partial<Caller> = {}): Caller => ({
  ...{ org: 'north', user: 'olga', key: 'k-1', team: null, sandbox: null },
  ...more,
})
export const sandboxCaller = (more: Partial<SandboxClaims> = {}): Caller =>
  caller({
    key: null,
    sandbox: {
      ...{ kind: 'sandbox', sub: 'sb-1', org: 'north', user: 'olga', loop: 'l-1', pass: 1 },
      ...{ attempt: 1, model: 'm-1' },
      ...more,
    } as SandboxClaims,
  })

export const asked = (more: Partial<RouteAsked> = {}): RouteAsked => ({
  ...{ caller: caller(), wire: 'messages', model: 'm-1', affinity: null },
  scan: { stream: false, outputMax: null, tools: [], serverTools: [], previousResponse: null },
  body: Buffer.from('{"model":"m-1"}'),
  ...more,
})

type World = {
  providers?: readonly LiveProvider[]
  routes?: readonly Route[]
  scoped?: readonly Scoped[]
  random?: () => number
}

/** A router over such values, and a clock that the test moves. */
export function createWorld(world: World = {}) {
  const clock = { ms: Date.parse('2026-01-01T00:00:00Z') }
  const now = () => new Date(clock.ms)
  const random = world.random ?? (() => 0.5)
  const health = createHealth(now, random)
  const rules: RulesInMemory = {
    routesOf: () => world.routes ?? [],
    scopedOf: () => world.scoped ?? [],
  }
  const all = world.providers ?? ['a', 'b', 'c'].map((name) => provider(name))
  const providers = { all: () => all }
  return { router: createRouter({ providers, rules, health, now, random }), health, clock }
}

export const answered = (status: number, body = '', headers: string[] = []) =>
  ({ kind: 'answered', status, headers, body: Buffer.from(body) }) as const
