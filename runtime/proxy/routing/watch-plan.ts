// Tells a plan how its call went, beside whoever else watches.
import type { Outcome, Watcher } from '../relay.ts'
import type { Plan } from './plan.ts'

/** Until a relay goes over attempts itself: the first target's answer is the client's, and its health is noted. */
export const watchPlan = (plan: Plan, watcher: Watcher): Watcher => ({
  head(status, headers) {
    if (status < 400) plan.answered(status)
    else plan.next({ kind: 'answered', status, headers, body: null })
    watcher.head(status, headers)
  },
  data: (chunk) => watcher.data(chunk),
  end(outcome, error, refusal) {
    if (isFailure(outcome)) plan.next({ kind: outcome, error: error ?? new Error(outcome) })
    plan.close()
    watcher.end(outcome, error, refusal)
  },
})

const isFailure = (outcome: Outcome) => outcome === 'unsent' || outcome === 'unanswered'
