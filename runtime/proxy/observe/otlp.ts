// A span as OTLP's JSON has it: ids in hex, 64-bit numbers as text. https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding

export type SpanValue = string | number | boolean | readonly string[]
export type Span = {
  traceId: string
  spanId: string
  parentSpanId: string | null
  name: string
  beganAtMs: number
  endedAtMs: number
  attributes: Readonly<Record<string, SpanValue | null>>
  /** What failed, in a word; null = nothing did. */
  error: string | null
}

const kindClient = 3
const [statusUnset, statusError] = [0, 2]

export const toOtlp = (spans: readonly Span[]) => ({
  resourceSpans: [
    {
      resource: { attributes: toAttributes({ 'service.name': 'treadle-proxy' }) },
      scopeSpans: [{ scope: { name: 'treadle.proxy' }, spans: spans.map(toSpan) }],
    },
  ],
})

const toSpan = ({ traceId, spanId, parentSpanId, name, attributes, error, ...span }: Span) => ({
  ...{ traceId, spanId, name, kind: kindClient },
  ...(parentSpanId !== null && { parentSpanId }),
  startTimeUnixNano: toNanos(span.beganAtMs),
  endTimeUnixNano: toNanos(span.endedAtMs),
  attributes: toAttributes(attributes),
  status: error === null ? { code: statusUnset } : { code: statusError, message: error },
})

const toNanos = (ms: number) => String(BigInt(Math.round(ms * 1_000)) * 1_000n)

const toAttributes = (attributes: Span['attributes']) =>
  Object.entries(attributes).flatMap(([key, value]) =>
    value === null ? [] : [{ key, value: toValue(value) }],
  )

function toValue(value: SpanValue): object {
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  if (typeof value !== 'number') return { arrayValue: { values: value.map(toValue) } }
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value }
}
