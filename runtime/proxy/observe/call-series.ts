// The figures of all calls that share their labels.
import type { Operation, ProviderKind, Wire } from '../api.ts'
import type { CallEnding, CallWatch } from './call-watch.ts'
import { Histogram, type Labels } from './exposition.ts'

// Bounds as the GenAI conventions advise. https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/
const tokenBounds = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304]
const durationBounds = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
]
const firstTokenBounds = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
]
const perTokenBounds = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5]

export type SeriesOf = {
  org: string
  provider: string
  kind: ProviderKind | 'rehearsal'
  model: string
  wire: Wire
  operation: Operation
}

/** As the ledger has them, and `error` for an upstream that answered one. */
export type CallOutcome = CallEnding['outcome'] | 'error'

export class CallSeries {
  readonly of: SeriesOf
  readonly outcomes = new Map<CallOutcome, number>()
  readonly errors = new Map<string, number>()
  readonly inputTokens = new Histogram(tokenBounds)
  readonly outputTokens = new Histogram(tokenBounds)
  readonly duration = new Histogram(durationBounds)
  readonly firstToken = new Histogram(firstTokenBounds)
  readonly perToken = new Histogram(perTokenBounds)
  nanoUsd = 0
  unpriced = 0
  estimated = 0
  retries = 0

  constructor(of: SeriesOf) {
    this.of = of
  }

  add(watch: CallWatch, ending: CallEnding): void {
    const outcome = toOutcome(ending)
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1)
    this.retries += watch.retries
    if (ending.costNanoUsd === null) this.unpriced += 1
    else this.nanoUsd += ending.costNanoUsd
    if (ending.state === 'estimated') this.estimated += 1
    this.#addTokens(ending)
    this.#addTimes(watch, ending)
  }

  addError(errorClass: string): void {
    this.errors.set(errorClass, (this.errors.get(errorClass) ?? 0) + 1)
  }

  #addTokens({ usage: { inputTokens, outputTokens } }: CallEnding): void {
    if (inputTokens > 0) this.inputTokens.observe(inputTokens)
    if (outputTokens > 0) this.outputTokens.observe(outputTokens)
  }

  /** A token's time is told of streams alone: elsewhere all come at once. The first one has a time of its own. */
  #addTimes(watch: CallWatch, { usage }: CallEnding): void {
    const { sentAtMs, firstByteAtMs, lastByteAtMs, isStream } = watch
    if (sentAtMs === null || lastByteAtMs === null) return
    this.duration.observe((lastByteAtMs - sentAtMs) / 1_000)
    if (!isStream || firstByteAtMs === null) return
    this.firstToken.observe((firstByteAtMs - sentAtMs) / 1_000)
    const further = usage.outputTokens - 1
    if (further > 0) this.perToken.observe((lastByteAtMs - firstByteAtMs) / 1_000 / further)
  }

  /** All that makes it a series of its own, here and below: a sample that stands twice spoils the whole scrape. */
  labels(): Labels {
    const { org, provider, kind, model, wire, operation } = this.of
    return { org, provider, kind, model, wire, operation }
  }

  /** Under the names that OpenTelemetry has for them, dots made underscores. */
  genAiLabels(): Labels {
    const { org, provider, kind, model, wire } = this.of
    return {
      gen_ai_operation_name: toOperationName(this.of),
      gen_ai_provider_name: toProviderName(kind),
      gen_ai_request_model: model,
      provider,
      org,
      wire,
    }
  }
}

const toOutcome = ({ outcome, status }: CallEnding): CallOutcome =>
  outcome === 'complete' && status !== null && status >= 400 ? 'error' : outcome

/** https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/ */
export const toOperationName = ({ wire, operation }: Pick<SeriesOf, 'wire' | 'operation'>) =>
  operationNames[operation] ?? (wire === 'gemini' ? 'generate_content' : 'chat')
const operationNames: Partial<Record<Operation, string>> = {
  embed: 'embeddings',
  // The conventions have no names for these.
  compact: 'compact',
  count: 'count_tokens',
  stored: 'stored_response',
}
export const toProviderName = (kind: string) => (kind === 'gemini' ? 'gcp.gemini' : kind)
