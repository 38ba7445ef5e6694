// W3C Trace Context, level 1: https://www.w3.org/TR/trace-context/#traceparent-header
import { randomBytes } from 'node:crypto'
import type { RawHeaders } from '../exchange.ts'

export type TraceContext = { traceId: string; spanId: string; isSampled: boolean }

// Version ff is forbidden, version 00 has nothing behind its flags, later ones may.
const pattern = /^(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const nothing = /^0+$/

/** Null for what is no valid one: then a trace of our own begins. */
export function parseTraceparent(text: string | undefined): TraceContext | null {
  const [, version, traceId, spanId, flags, more] = pattern.exec(text ?? '') ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined) return null
  if (version === '00' && more !== undefined) return null
  if (nothing.test(traceId) || nothing.test(spanId)) return null
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

/** Two of them say nothing. */
export function readTraceparent(headers: RawHeaders): TraceContext | null {
  const isIt = (name: string, index: number) => index % 2 === 0 && /^traceparent$/i.test(name)
  const first = headers.findIndex(isIt)
  return first < 0 || headers.findLastIndex(isIt) !== first
    ? null
    : parseTraceparent(headers[first + 1])
}

export const createTraceId = () => randomBytes(16).toString('hex')
export const createSpanId = () => randomBytes(8).toString('hex')

/** By the trace's id, so that all who see the trace decide alike. */
export const isInSample = (traceId: string, ratio: number) =>
  Number.parseInt(traceId.slice(-12), 16) < ratio * 2 ** 48
