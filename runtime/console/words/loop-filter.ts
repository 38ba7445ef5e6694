// The filter of the loops list, as it stands in the address.
import type { LoopSummary } from '../../spool/api.ts'

export type LoopFilter = {
  state: string
  ending: string
  agent: string
  model: string
  user: string
  q: string
}
export const filterNames = ['state', 'ending', 'agent', 'model', 'user', 'q'] as const

export const toFilter = (query: URLSearchParams): LoopFilter =>
  Object.fromEntries(filterNames.map((name) => [name, query.get(name) ?? ''])) as LoopFilter

export const isEmpty = (filter: LoopFilter) => filterNames.every((name) => filter[name] === '')

/** Whether a loop that has just been made belongs to the list. What the server decides when it is asked. */
export function matches(filter: LoopFilter, loop: LoopSummary): boolean {
  const { q } = filter
  return (
    isOneOf(filter.state, loop.state) &&
    isOneOf(filter.ending, loop.ending ?? '') &&
    isOneOf(filter.agent, loop.agent) &&
    isOneOf(filter.model, loop.model) &&
    isOneOf(filter.user, loop.user) &&
    (q === '' ||
      holds(loop.name, q) ||
      holds(loop.repository, q) ||
      loop.id.startsWith(q.toLowerCase()))
  )
}

const isOneOf = (wanted: string, value: string) =>
  wanted === '' || wanted.split(',').includes(value)
const holds = (text: string, part: string) => text.toLowerCase().includes(part.toLowerCase())
