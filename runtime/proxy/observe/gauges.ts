// Figures that other parts of the role keep, read when somebody asks for the metrics.
import type { Ledger } from '../ledger.ts'
import type { Turns } from '../turns.ts'
import type { Observer } from './observer.ts'

type Sources = { ledger: Pick<Ledger, 'backlogBytes'>; turns: Pick<Turns, 'dropped'> }

export function addGauges({ addGauge }: Observer, { ledger, turns }: Sources): void {
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
}
