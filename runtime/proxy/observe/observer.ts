// All that watches calls, behind one door: figures, calls in flight, spans. Nothing here decides anything about a call,
// throws into its way, or waits.
import type { Logger } from '#kernel/log.ts'
import type { ProxyConfig } from '../config.ts'
import type { RefusalCode } from '../errors.ts'
import type { Begun } from '../ledger-line.ts'
import { toSpan } from './call-span.ts'
import { type Asked, type CallEnding, CallWatch } from './call-watch.ts'
import { createLiveTable } from './live-calls.ts'
import { createMetrics, type Gauge } from './metrics.ts'
import type { Observed, ObserveQuestion } from './observed.ts'
import { startSpans } from './spans.ts'

export type Observer = AsyncDisposable & {
  /** A call is booked, and about to be sent. Its end must be told to what this answers. */
  began(begun: Begun, asked: Asked): CallWatch
  /** A request that this proxy refused itself. */
  refused(code: RefusalCode): void
  addGauge(gauge: Gauge): void
  observe(question: ObserveQuestion): Observed
}

type Options = { config: Pick<ProxyConfig, 'otel'>; log: Logger }

export function startObserver({ config: { otel }, log }: Options): Observer {
  const metrics = createMetrics()
  const table = createLiveTable()
  const spans = otel === null ? null : startSpans({ config: otel, log })
  const heard = {
    ended(watch: CallWatch, ending: CallEnding) {
      table.remove(watch)
      metrics.ended(watch, ending)
      const span = spans && otel && toSpan(watch, ending, otel.sampleRatio)
      if (span) spans.add(span)
    },
  }
  const count = (name: string, help: string, type: Gauge['type'], value: () => number) =>
    metrics.addGauge({ name, help, type, read: () => [{ labels: {}, value: value() }] })
  count('in_flight', 'Calls that have begun and not ended.', 'gauge', table.count)
  if (spans) {
    const text = 'Spans of calls, by what came of them.'
    const read = () =>
      Object.entries(spans.counts()).map(([result, value]) => ({ labels: { result }, value }))
    metrics.addGauge({ name: 'spans_total', help: text, type: 'counter', read })
  }
  return {
    began(begun, asked) {
      const watch = new CallWatch(begun, asked, heard)
      const { operation } = asked
      // These two are not booked: who looks at what is in flight would find no page behind them.
      if (operation !== 'count' && operation !== 'stored') table.add(watch)
      return watch
    },
    refused: metrics.refused,
    addGauge: metrics.addGauge,
    observe: ({ org, limit }) => ({
      families: metrics.families(org),
      live: table.list(org, limit),
    }),
    async [Symbol.asyncDispose]() {
      await spans?.[Symbol.asyncDispose]()
    },
  }
}
