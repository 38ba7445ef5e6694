// Figures that other parts of the role keep, read when somebody asks for the metrics.
import type { Budgets } from '../budgets/budgets.ts'
import type { Ledger } from '../ledger.ts'
import type { ModelServer } from '../model-server.ts'
import type { Turns } from '../turns.ts'
import type { Observer } from './observer.ts'

type Sources = {
  ledger: Pick<Ledger, 'backlogBytes'>
  turns: Pick<Turns, 'dropped'>
  budgets: Pick<Budgets, 'counts'>
  doors: Pick<ModelServer, 'counts'>
}

export function addGauges({ addGauge }: Observer, sources: Sources): void {
  const { ledger, turns, budgets, doors } = sources
  addGauge({
    name: 'ledger_backlog_bytes',
    help: 'What of the ledger waits for its database.',
    type: 'gauge',
    read: () => [{ labels: {}, value: ledger.backlogBytes() }],
  })
  addGauge({
    name: 'turns_dropped_total',
    help: 'Conversations that will never get to threads.',
    type: 'counter',
    read: () => [{ labels: {}, value: turns.dropped().turns }],
  })
  addGauge({
    name: 'budget_events_total',
    help: 'Calls that budgets refused, clipped or let wait, that came to more than was proved, and leases that failed.',
    type: 'counter',
    read: () => {
      const { refused, clipped, waited, overBound, leaseFailures } = budgets.counts
      const events = {
        refused,
        clipped,
        waited,
        over_bound: overBound,
        lease_failed: leaseFailures,
      }
      return Object.entries(events).map(([event, value]) => ({ labels: { event }, value }))
    },
  })
  addGauge({
    name: 'requests_total',
    help: 'Requests on the model routes, by the lane that read them.',
    type: 'counter',
    read: () => {
      const { fastCalls, generalCalls } = doors.counts()
      const lanes = { fast: fastCalls, general: generalCalls }
      return Object.entries(lanes).map(([lane, value]) => ({ labels: { lane }, value }))
    },
  })
}
