// The figures of this process since it started, as Prometheus reads them.

import type { RefusalCode } from '../errors.ts'
import { refusalTable } from '../errors.ts'
import { CallSeries, type SeriesOf } from './call-series.ts'
import type { CallEnding, CallWatch, Failed } from './call-watch.ts'
import { type Family, Histogram, type Labels, type Sample } from './exposition.ts'
import { createLabelCap, other } from './label-cap.ts'

/** A figure that is read when it is asked for. `org` keeps it to that organisation's eyes. */
export type Gauge = {
  name: string
  help: string
  type: 'gauge' | 'counter'
  read(): readonly (Sample & { org?: string })[]
}

export type Metrics = {
  ended(watch: CallWatch, ending: CallEnding): void
  refused(code: RefusalCode): void
  addGauge(gauge: Gauge): void
  /** Null = of all organisations. */
  families(org: string | null): Family[]
}

const seriesMax = 500 // 2 KB of memory, and up to 15 KB of text each.
const [orgsMax, providersMax, modelsMax] = [50, 100, 200]
// What is done here takes well under a millisecond; what waits for a connection takes as long as that.
const overheadBounds = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1]

export function createMetrics(): Metrics {
  const series = createSeriesTable()
  const refusals = new Map<RefusalCode, number>()
  const overhead = new Histogram(overheadBounds)
  const gauges: Gauge[] = []
  return {
    ended(watch, ending) {
      overhead.observe(watch.overheadMs() / 1_000)
      series.of(watch, ending).add(watch, ending)
      for (const failed of watch.failures) series.ofTry(watch, failed).addError(failed.class)
    },
    refused(code) {
      if (code in refusalTable) refusals.set(code, (refusals.get(code) ?? 0) + 1)
    },
    addGauge: (gauge) => void gauges.push(gauge),
    families(org) {
      const seen = [...series.all()].filter(({ of }) => org === null || of.org === org)
      return [
        ...genAiFamilies(seen),
        ...callFamilies(seen),
        toRefusals(refusals),
        toOverhead(overhead),
        ...gauges.map((gauge) => toGauge(gauge, org)),
      ]
    },
  }
}

/** As many as `seriesMax`; what is beyond shares one. */
function createSeriesTable() {
  const table = new Map<string, CallSeries>()
  const capOrg = createLabelCap(orgsMax)
  const capProvider = createLabelCap(providersMax)
  const capModel = createLabelCap(modelsMax)
  type Where = Pick<CallWatch, 'provider' | 'kind'>
  const toSeriesOf = (watch: CallWatch, { provider, kind }: Where, isProven: boolean): SeriesOf => {
    const { facts } = watch.begun
    return {
      org: capOrg(facts.org, true),
      provider: capProvider(provider ?? other, true),
      kind,
      model: capModel(facts.model, isProven),
      wire: facts.wire,
      operation: watch.operation,
    }
  }
  const find = (of: SeriesOf): CallSeries => {
    const key = `${of.org} ${of.provider} ${of.kind} ${of.model} ${of.wire} ${of.operation}`
    const known = table.get(key)
    if (known) return known
    if (table.size >= seriesMax && of.model !== other) {
      return find({ ...of, org: other, provider: other, model: other })
    }
    const made = new CallSeries(of)
    table.set(key, made)
    return made
  }
  return {
    all: () => table.values(),
    of(watch: CallWatch, { status }: CallEnding): CallSeries {
      // A name that no upstream ever answered to may be anything that somebody typed.
      const isProven = status !== null && status < 300
      return find(toSeriesOf(watch, watch, isProven))
    },
    ofTry: (watch: CallWatch, failed: Failed): CallSeries => find(toSeriesOf(watch, failed, false)),
  }
}

type Many = readonly CallSeries[]

const genAiFamilies = (all: Many): Family[] => [
  {
    ...{ name: 'gen_ai_client_token_usage', type: 'histogram' },
    help: 'Tokens of a call, by their type.',
    samples: all.flatMap((one) => [
      { labels: typed(one, 'input'), histogram: one.inputTokens },
      { labels: typed(one, 'output'), histogram: one.outputTokens },
    ]),
  },
  timesOf(
    all,
    'gen_ai_server_request_duration_seconds',
    'From the request to an upstream to the last byte of its answer.',
    (one) => one.duration,
  ),
  timesOf(
    all,
    'gen_ai_server_time_to_first_token_seconds',
    'From the request to an upstream to the first byte of its stream.',
    (one) => one.firstToken,
  ),
  timesOf(
    all,
    'gen_ai_server_time_per_output_token_seconds',
    'Time between output tokens of a stream, after the first one.',
    (one) => one.perToken,
  ),
]

const typed = (one: CallSeries, type: 'input' | 'output'): Labels => ({
  ...one.genAiLabels(),
  gen_ai_token_type: type,
})

const timesOf = (
  all: Many,
  name: string,
  help: string,
  of: (one: CallSeries) => Histogram,
): Family => ({
  ...{ name, help, type: 'histogram' },
  samples: all
    .filter((one) => of(one).count > 0)
    .map((one) => ({ labels: one.genAiLabels(), histogram: of(one) })),
})

const callFamilies = (all: Many): Family[] => [
  countsOf(all, 'calls_total', 'Calls that ended, by how.', (one) => [
    ...one.outcomes.entries().map(([outcome, value]) => [{ outcome }, value] as const),
  ]),
  countsOf(all, 'upstream_errors_total', 'What upstreams did wrong.', (one) => [
    ...one.errors.entries().map(([name, value]) => [{ class: name }, value] as const),
  ]),
  countsOf(all, 'retries_total', 'Further tries of a call.', (one) => [[{}, one.retries]]),
  countsOf(all, 'cost_usd_total', 'What calls cost, in US dollars.', (one) => [
    [{}, one.nanoUsd / 1e9],
  ]),
  countsOf(all, 'unpriced_calls_total', 'Calls of models without a price.', (one) => [
    [{}, one.unpriced],
  ]),
  countsOf(all, 'estimated_calls_total', 'Calls whose usage is an estimate.', (one) => [
    [{}, one.estimated],
  ]),
]

const countsOf = (
  all: Many,
  name: string,
  help: string,
  of: (one: CallSeries) => readonly (readonly [Labels, number])[],
): Family => ({
  ...{ name: `treadle_proxy_${name}`, help, type: 'counter' },
  samples: all.flatMap((one) =>
    of(one).map(([more, value]) => ({ labels: { ...one.labels(), ...more }, value })),
  ),
})

const toRefusals = (refusals: ReadonlyMap<RefusalCode, number>): Family => ({
  name: 'treadle_proxy_refusals_total',
  help: 'Requests that this proxy refused itself, by code.',
  type: 'counter',
  samples: [...refusals].map(([code, value]) => ({ labels: { code }, value })),
})

const toOverhead = (histogram: Histogram): Family => ({
  name: 'treadle_proxy_overhead_seconds',
  help: 'What this proxy added before an upstream had the request, without the wait for its body.',
  type: 'histogram',
  samples: histogram.count > 0 ? [{ labels: {}, histogram }] : [],
})

function toGauge({ name, help, type, read }: Gauge, org: string | null): Family {
  const samples = read()
    .filter((sample) => org === null || sample.org === undefined || sample.org === org)
    .map(({ labels, value }) => ({ labels, value }))
  return { name: `treadle_proxy_${name}`, help, type, samples }
}
