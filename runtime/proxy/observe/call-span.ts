// One call as a span, by the names that OpenTelemetry has for model calls. No word of a prompt or an answer is in it.
// https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
import { toOperationName, toProviderName } from './call-series.ts'
import type { CallEnding, CallWatch } from './call-watch.ts'
import type { Span } from './otlp.ts'
import { createSpanId, createTraceId, isInSample, readTraceparent } from './trace-context.ts'

const plainStop = /^[\w-]{1,40}$/ // An upstream's word for why it stopped, where it is one.

/**
 * Null where the call is not in the sample. A client's trace is continued, and its own choice stands: who traces a loop
 * wants all of it.
 */
export function toSpan(watch: CallWatch, ending: CallEnding, sampleRatio: number): Span | null {
  const parent = readTraceparent(watch.headers)
  const traceId = parent?.traceId ?? createTraceId()
  const isSampled = parent ? parent.isSampled : isInSample(traceId, sampleRatio)
  if (!isSampled) return null
  const { facts } = watch.begun
  // Of the clock as it stands now: the process's own start, told by it, may have been an hour off.
  const zeroMs = Date.now() - performance.now()
  return {
    traceId,
    spanId: createSpanId(),
    parentSpanId: parent?.spanId ?? null,
    name: `${toOperationName(toKind(watch))} ${facts.model}`.trim(),
    beganAtMs: zeroMs + watch.arrival.atMs,
    endedAtMs: zeroMs + (watch.lastByteAtMs ?? performance.now()),
    attributes: { ...toRequest(watch), ...toAnswer(watch, ending) },
    error: toError(ending),
  }
}

const toKind = ({ begun, operation }: CallWatch) => ({ wire: begun.facts.wire, operation })

const toRequest = (watch: CallWatch): Span['attributes'] => {
  const {
    begun: { facts },
    provider,
    kind,
  } = watch
  return {
    'gen_ai.operation.name': toOperationName(toKind(watch)),
    'gen_ai.provider.name': toProviderName(kind),
    'gen_ai.request.model': facts.model,
    'treadle.call.id': facts.id,
    'treadle.org': facts.org,
    'treadle.provider': provider,
    'treadle.wire': facts.wire,
    'treadle.loop': facts.loop,
    'treadle.pass': facts.pass,
    'treadle.sandbox': facts.sandbox,
    'treadle.key': facts.key, // Its id.
  }
}

function toAnswer(watch: CallWatch, ending: CallEnding): Span['attributes'] {
  const { usage, status, stopReason, costNanoUsd, state } = ending
  const { sentMs, firstByteMs } = watch.timing()
  const isPlain = stopReason !== null && plainStop.test(stopReason)
  return {
    'gen_ai.usage.input_tokens': usage.inputTokens,
    'gen_ai.usage.output_tokens': usage.outputTokens,
    'gen_ai.usage.cache_read.input_tokens': usage.cachedTokens,
    'gen_ai.usage.cache_creation.input_tokens': usage.cacheWriteTokens,
    'gen_ai.response.finish_reasons': isPlain ? [stopReason] : null,
    'gen_ai.response.time_to_first_chunk':
      firstByteMs === null || sentMs === null ? null : (firstByteMs - sentMs) / 1_000,
    'http.response.status_code': status,
    'error.type': toError(ending),
    'treadle.cost_usd': costNanoUsd === null ? null : costNanoUsd / 1e9,
    'treadle.is_estimated': state === 'estimated',
    'treadle.retries': watch.retries,
    'treadle.bytes': watch.bytes,
  }
}

function toError({ outcome, status, error }: CallEnding): string | null {
  if (outcome === 'complete') return status !== null && status >= 400 ? String(status) : null
  return error ?? outcome
}
