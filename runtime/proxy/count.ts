// A question of how many tokens something has: it costs nothing and says nothing, so it is no call in the ledger, no turn
// of a conversation, and never the last word of a sandbox.
import type { Logger } from '#kernel/log.ts'
import type { Wire } from './api.ts'
import type { Reply } from './exchange.ts'
import type { Asked, Held, IntakeDeps } from './intake.ts'
import { toOutgoing } from './outgoing.ts'
import { sendRefusal } from './refusal.ts'
import { Relay, type Watcher } from './relay.ts'
import { toAttempts } from './routing/attempts.ts'
import { scan } from './scan.ts'

const noChanges = { outputTokensMax: null, isUsageWanted: false }

export async function sendCount(deps: IntakeDeps, asked: Asked, held: Held): Promise<void> {
  const { exchange, wire, caller } = asked
  const { router, config, log } = deps
  const { reply } = exchange
  const scanned = scan(held.body, asked)
  const { model } = scanned
  const { plan } = router.plan({
    caller,
    wire,
    model,
    scan: scanned,
    body: held.body,
    affinity: null,
  })
  const onSettled = () => {
    plan.close()
    held.onSettled()
  }
  const watcher = watchCount({ reply, wire, log, onSettled })
  const outgoing = { asked, held, scanned, changes: noChanges }
  const attempts = toAttempts(plan, (choice) => toOutgoing(choice, outgoing))
  new Relay({ reply, watcher, attempts, stallMs: config.idleMs }).start()
}

type Options = { reply: Reply; wire: Wire; log: Logger; onSettled: () => void }

/** Of what costs nothing. */
export const watchCount = ({ reply, wire, log, onSettled }: Options): Watcher => ({
  head: () => {},
  data: () => {},
  end(_outcome, error, refusal) {
    if (error) log.warn({ error }, 'an upstream failed')
    if (refusal) sendRefusal(reply, refusal, wire)
    onSettled()
  },
})
