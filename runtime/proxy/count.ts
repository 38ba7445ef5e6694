// A question of how many tokens something has: it costs nothing and says nothing, so it is no call in the ledger, no turn
// of a conversation, and never the last word of a sandbox.
import type { Logger } from '#kernel/log.ts'
import type { Wire } from './api.ts'
import type { Reply } from './exchange.ts'
import { sendRefusal } from './refusal.ts'
import type { Watcher } from './relay.ts'

type Options = { reply: Reply; wire: Wire; log: Logger; onSettled: () => void }

export const watchCount = ({ reply, wire, log, onSettled }: Options): Watcher => ({
  head: () => {},
  data: () => {},
  end(_outcome, error, refusal) {
    if (error) log.warn({ error }, 'an upstream failed')
    if (refusal) sendRefusal(reply, refusal, wire)
    onSettled()
  },
})
