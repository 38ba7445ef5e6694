// A call that costs nothing: watched as others are, and not booked.
import { randomUUID } from 'node:crypto'
import { callLog } from './call-log.ts'
import { findHeader } from './headers.ts'
import type { Asked, IntakeDeps } from './intake.ts'
import { noUsage, toBegun, toFacts } from './ledger-line.ts'
import type { Arrival } from './observe/call-watch.ts'
import type { LiveProvider } from './providers.ts'
import { sendRefusal } from './refusal.ts'
import type { AttemptEnd, Watcher } from './relay.ts'

type Options = {
  asked: Asked
  /** Empty where the call names none. */
  model: string
  provider: LiveProvider
  arrival: Arrival
  onSettled: () => void
}

export function watchFree(
  { observer, log, now }: IntakeDeps,
  { asked, model, provider, arrival, onSettled }: Options,
): Watcher & { tried(end: AttemptEnd): void } {
  const { wire, operation, caller, exchange } = asked
  const { headers, reply } = exchange
  const known = { id: randomUUID(), caller, provider: provider.name, model, wire, beganAt: now() }
  const begun = toBegun(toFacts(known, provider.kind === 'rehearsal'), provider.kind, 0)
  const watch = observer.began(begun, { arrival, headers, operation })
  let status: number | null = null
  return {
    sent: (target) => watch.sent(target.provider),
    tried: (end) => watch.tried(end),
    head(answered, raw) {
      status = answered
      watch.head(findHeader(raw, 'content-type'))
    },
    data: (chunk) => watch.data(chunk.length),
    end(outcome, error, refusal) {
      watch.lastByte()
      const { id: call, sandbox, loop } = begun.facts
      if (error) log.warn({ error, call, provider: watch.provider }, 'an upstream failed')
      if (refusal) {
        status = sendRefusal(reply, refusal, wire)
        observer.refused(refusal.code)
      }
      const nothing = {
        usage: noUsage,
        costNanoUsd: 0,
        stopReason: null,
        state: 'settled',
      } as const
      watch.ended({ ...nothing, outcome, status, error: outcome === 'complete' ? null : outcome })
      const facts = { call, operation, wire, model, provider: watch.provider, sandbox, loop }
      callLog(log).info({ ...facts, status, outcome, ...watch.timing() }, 'call')
      onSettled()
    },
  }
}
