// A route as it is drawn: what it takes on the left, where that may go on the right, the share of each as a line's width.
import type { HealthState, ProviderHealth, Route } from '../../proxy/routing/api.ts'
import type { Sign } from './sign.ts'

export type DrawnTarget = {
  provider: string
  /** What the model is called there; null = the same. */
  model: string | null
  /** `60 %`, `first`, `then`, `least busy`. */
  note: string
  /** Of all calls, between 0 and 1, as far as that is set. */
  share: number
}

/** In the order in which they would be tried. */
export function toTargets({ strategy, targets }: Pick<Route, 'strategy' | 'targets'>) {
  const all = targets.reduce((sum, { weight }) => sum + weight, 0)
  const sorted = strategy === 'order' ? targets.toSorted((a, b) => a.order - b.order) : targets
  const first = sorted[0]?.order
  const notes = {
    order: ({ order }: (typeof targets)[number]) => (order === first ? 'first' : 'then'),
    weighted: ({ weight }: (typeof targets)[number]) => `${Math.round((100 * weight) / all)} %`,
    'least-busy': () => 'if least busy',
  }
  return sorted.map((target): DrawnTarget => {
    const { provider, model = null, weight, order } = target
    const isLater = strategy === 'order' && order !== first
    const share = strategy === 'weighted' ? weight / all : isLater ? 0 : 1 / sorted.length
    return { provider, model, note: notes[strategy](target), share }
  })
}

/** What must hold beside the model: `stream`, `team payments`, `region eu`. */
export function toConditions({ match }: Pick<Route, 'match'>): string[] {
  const { wires, stream, tags, teams, keys, regions, retention } = match
  return [
    ...(wires ? [`wire ${wires.join(' or ')}`] : []),
    ...(stream === undefined ? [] : [stream ? 'streams alone' : 'no streams']),
    ...Object.entries(tags ?? {}).map(([name, value]) => `tag ${name}=${value}`),
    ...(teams ? [`team ${teams.join(' or ')}`] : []),
    ...(keys ? [`key ${keys.map((key) => key.slice(0, 8)).join(' or ')}`] : []),
    ...(regions ? [`region ${regions.join(' or ')}`] : []),
    ...(retention ? [`retention ${retention.join(', ')}`] : []),
  ]
}

/** What the route does beside choosing. */
export function toHabits({
  retry,
  affinity,
  pingS,
}: Pick<Route, 'retry' | 'affinity' | 'pingS'>): string[] {
  return [
    affinity === 'session' ? 'a session stays where it is' : 'sessions are not kept together',
    retry ? `up to ${retry.triesMax} tries` : 'one try',
    ...(pingS === null ? [] : [`a ping after ${pingS} s of silence`]),
  ]
}

const healthSigns: Readonly<Record<HealthState, { sign: Sign; word: string }>> = {
  good: { sign: 'done', word: 'good' },
  cooling: { sign: 'failed', word: 'cooling down' },
  'half-open': { sign: 'stuck', word: 'being tried' },
}
export const toHealthSign = ({ state }: Pick<ProviderHealth, 'state'>) => healthSigns[state]

export const rowPx = 56
/** From the middle of the left to the middle of a row on the right, in a box of 100 by all rows. */
export function toCurve(row: number, rows: number): string {
  const [from, to] = [(rows * rowPx) / 2, row * rowPx + rowPx / 2]
  return `M0 ${from}C50 ${from} 50 ${to} 100 ${to}`
}
