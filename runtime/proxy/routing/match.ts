// Which route a call takes. The more closely one describes the call, the sooner it is asked: a name before a prefix, a
// longer prefix before a shorter one, more conditions before fewer; then by the route's own name.
import type { Wire } from '../api.ts'
import { isAmong } from '../policy/verdict.ts'
import type { Route, RouteMatch } from './api.ts'

export type Described = {
  model: string
  wire: Wire
  stream: boolean
  tags: Readonly<Record<string, string>>
  team: string | null
  key: string | null
  regions: readonly string[] | null
  retention: readonly string[]
}

/** @param routes As `sortRoutes` leaves them. */
export const findRoute = (routes: readonly Route[], call: Described): Route | undefined => {
  let best: Route | undefined
  let bestLength = -1
  for (const route of routes) {
    const length = lengthOf(route.match, call.model)
    if (length > bestLength && holds(route.match, call)) [best, bestLength] = [route, length]
  }
  return best
}

/** More conditions first, so that of two that name the model alike the first that holds is the closer one. */
export const sortRoutes = (routes: readonly Route[]): Route[] =>
  routes.toSorted(
    (one, other) =>
      Object.keys(other.match).length - Object.keys(one.match).length ||
      (one.name < other.name ? -1 : 1),
  )

const exact = 1_000 // Longer than any prefix.

/** How much of the model's name the closest pattern says; -1 = none fits. */
function lengthOf({ models }: RouteMatch, model: string): number {
  let length = -1
  for (const pattern of models) {
    if (pattern === model) return exact
    if (pattern.endsWith('*') && model.startsWith(pattern.slice(0, -1))) {
      length = Math.max(length, pattern.length - 1)
    }
  }
  return length
}

const isOneOf = (names: readonly string[] | undefined, name: string | null) =>
  names === undefined || (name !== null && names.includes(name))

export function holds(match: RouteMatch, call: Described): boolean {
  const { wires, stream, tags, teams, keys, regions, retention } = match
  return (
    isAmong(match.models, call.model) &&
    isOneOf(wires, call.wire) &&
    (stream === undefined || stream === call.stream) &&
    isOneOf(teams, call.team) &&
    isOneOf(keys, call.key) &&
    (regions === undefined || (call.regions?.some((one) => regions.includes(one)) ?? false)) &&
    (retention === undefined || retention.every((one) => call.retention.includes(one))) &&
    (tags === undefined || Object.entries(tags).every(([name, value]) => call.tags[name] === value))
  )
}
