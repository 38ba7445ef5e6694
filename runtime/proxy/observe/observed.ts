// What all processes of the role saw, put together: each has figures and calls of its own.
import type { LiveCalls } from '../api.ts'
import type { Family } from './exposition.ts'

export type ObserveQuestion = {
  /** Null = of all organisations. */
  org: string | null
  /** Calls in flight at most. */
  limit: number
}
export type Observed = { families: Family[]; live: LiveCalls }
export type ObserveAll = (question: ObserveQuestion) => Promise<Observed>

type One = { observe(question: ObserveQuestion): Observed }
type Many = { observe(question: ObserveQuestion): Promise<[worker: number, Observed][]> }

/** Figures of a further process have its number in the label `worker`: Prometheus sums them up. */
export const createObserveAll =
  (first: One, workers: Many): ObserveAll =>
  async (question) => {
    const own = first.observe(question)
    const others = await workers.observe(question)
    if (others.length === 0) return own
    const named = others.map(([worker, { families }]) => withWorker(families, String(worker)))
    return {
      families: merge([withWorker(own.families, '0'), ...named]),
      live: mergeLive(
        [own, ...others.map(([, one]) => one)].map(({ live }) => live),
        question.limit,
      ),
    }
  }

const withWorker = (families: readonly Family[], worker: string): Family[] =>
  families.map((family) =>
    family.type === 'histogram'
      ? { ...family, samples: family.samples.map((one) => withLabel(one, worker)) }
      : { ...family, samples: family.samples.map((one) => withLabel(one, worker)) },
  )

const withLabel = <T extends { labels: Record<string, string> }>(sample: T, worker: string): T => ({
  ...sample,
  labels: { ...sample.labels, worker },
})

/** A family's head stands once in the text, its samples all below it. */
function merge(all: readonly Family[][]): Family[] {
  const families = new Map<string, Family>()
  for (const family of all.flat()) {
    const known = families.get(family.name)
    families.set(family.name, known ? join(known, family) : family)
  }
  return [...families.values()]
}

function join(one: Family, other: Family): Family {
  if (one.type === 'histogram' && other.type === 'histogram')
    return { ...one, samples: [...one.samples, ...other.samples] }
  if (one.type === 'histogram' || other.type === 'histogram') return one
  return { ...one, samples: [...one.samples, ...other.samples] }
}

function mergeLive(all: readonly LiveCalls[], limit: number): LiveCalls {
  const items = all
    .flatMap((live) => live.items)
    .sort((one, other) => (one.beganAt < other.beganAt ? -1 : 1))
  return {
    items: items.slice(0, limit),
    total: all.reduce((sum, { total }) => sum + total, 0),
  }
}
