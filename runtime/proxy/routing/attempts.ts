// A plan as the relay wants it.
import type { AttemptEnd, Attempts, Target } from '../relay.ts'
import type { Choice } from './candidates.ts'
import type { Plan } from './plan.ts'

export type { Failure } from '../relay.ts'

const firstError = 400

type Watched = { isCounted?: boolean; tried?: (end: AttemptEnd) => void }

/**
 * @param build Makes what is sent to a target: its path, headers and body.
 * @param isCounted A budget holds what one try may come to: what may have been done must not be done again.
 * @param tried Is told of each try's end.
 */
export const toAttempts = (
  plan: Plan,
  build: (choice: Choice) => Omit<Target, 'provider'>,
  { isCounted = false, tried = () => {} }: Watched = {},
): Attempts => ({
  next(failure) {
    const choice = plan.next(failure, isCounted && failure?.kind === 'unanswered')
    if (!choice) return null
    return { ...build(choice), provider: choice.provider, afterMs: failure ? plan.waitMs : 0 }
  },
  // Also where none may follow: what a vendor's error says is noted of its credential.
  mayFollow: (status) => status >= firstError && plan.isNoted,
  ended(end) {
    const { outcome, status } = end
    tried(end)
    if (outcome !== 'refused' && status !== null) plan.answered(status)
  },
  stop: () => plan.stop(),
})
