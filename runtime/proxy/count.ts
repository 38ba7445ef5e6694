// A question of how many tokens something has: it costs nothing and says nothing, so it is no call in the ledger, no turn
// of a conversation, and never the last word of a sandbox.
import { watchFree } from './free-call.ts'
import type { Asked, Held, IntakeDeps } from './intake.ts'
import { toOutgoing } from './outgoing.ts'
import { Relay } from './relay.ts'
import { toAttempts } from './routing/attempts.ts'
import { scan } from './scan.ts'

const noChanges = { outputTokensMax: null, isUsageWanted: false }

export async function sendCount(deps: IntakeDeps, asked: Asked, held: Held): Promise<void> {
  const { exchange, wire, caller } = asked
  const { router, config } = deps
  const { body, arrival } = held
  const scanned = scan(body, asked)
  const { model } = scanned
  const { plan } = router.plan({ caller, wire, model, scan: scanned, body, affinity: null })
  const onSettled = () => {
    plan.close()
    held.onSettled()
  }
  const { provider } = plan.choice
  const watcher = watchFree(deps, { asked, model, provider, arrival, onSettled })
  const outgoing = { asked, held, scanned, changes: noChanges }
  const attempts = toAttempts(plan, (choice) => toOutgoing(choice, outgoing), watcher)
  new Relay({ reply: exchange.reply, watcher, attempts, stallMs: config.idleMs }).start()
}
