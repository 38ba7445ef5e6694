// In which order the targets of a route are tried. The first one that is fit gets the call.
import { draw, scoreOf } from './affinity.ts'
import type { Route } from './api.ts'
import type { Choice } from './candidates.ts'

type Asked = {
  strategy: Route['strategy']
  /** What the conversation is called; null = any order will do. */
  affinity: string | null
  /** The provider that answered this conversation before. */
  home: string | undefined
  inFlight(id: string): number
  random(): number
}

// A conversation keeps its place by hash as long as that is not so much busier than the idlest: a move costs its cache.
const busierMax = 4

export function orderChoices(choices: readonly Choice[], asked: Asked): Choice[] {
  if (choices.length < 2) return [...choices]
  const { affinity, random } = asked
  const scored = choices.map((choice) => {
    const name = `${choice.provider.name}\0${choice.model}`
    const drawn = affinity === null ? 1 - random() : draw(affinity, name)
    // A chance of 1 has no logarithm to divide by: the score is then the highest there is.
    return { choice, score: drawn === 1 ? Number.MAX_VALUE : scoreOf(drawn, choice.weight) }
  })
  scored.sort((one, other) => other.score - one.score)
  return withHome(
    sorters[asked.strategy](
      scored.map(({ choice }) => choice),
      asked,
    ),
    asked.home,
  )
}

const sorters: Readonly<Record<Route['strategy'], (ranked: Choice[], asked: Asked) => Choice[]>> = {
  weighted: (ranked) => ranked,
  order: (ranked) => ranked.toSorted((one, other) => one.order - other.order), // Stable: equal ones stay by score.
  'least-busy': (ranked, { affinity, inFlight }) => {
    const loadOf = ({ provider, weight }: Choice) => inFlight(provider.id) / weight
    const idlest = ranked.toSorted((one, other) => loadOf(one) - loadOf(other))
    const winner = ranked[0]!
    const keeps = affinity !== null && loadOf(winner) - loadOf(idlest[0]!) <= busierMax
    return keeps ? [winner, ...idlest.filter((one) => one !== winner)] : idlest
  },
}

function withHome(ordered: Choice[], home: string | undefined): Choice[] {
  const found = home === undefined ? undefined : ordered.find((one) => one.provider.name === home)
  return found ? [found, ...ordered.filter((one) => one !== found)] : ordered
}
