// Spans on their way to a collector, by OTLP over HTTP in its JSON form: in batches beside the calls, never in their way.
// https://opentelemetry.io/docs/specs/otlp/#otlphttp
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import type { Logger } from '#kernel/log.ts'
import { Secret } from '#kernel/secret.ts'
import type { ProxyConfig } from '../config.ts'
import { type Span, toOtlp } from './otlp.ts'

export type Spans = AsyncDisposable & {
  /** Never throws and never waits: what finds no room is counted. */
  add(span: Span): void
  counts(): { sent: number; dropped: number }
}

const spansMax = 4_096 // Some 2 KB each.
const batchMax = 512
const everyMs = 1_000
const silentMsMax = 10_000
const triesMax = 4
const firstWaitMs = 500 // Doubled with each try.
const failuresPerLine = 60

type Options = { config: NonNullable<ProxyConfig['otel']>; log: Logger }

export function startSpans({ config, log }: Options): Spans {
  const headers = readHeaders(config.headersFile)
  const stop = new AbortController()
  const counts = { sent: 0, dropped: 0 }
  const waiting: Span[] = []
  let failures = 0
  let running: Promise<void> | undefined

  const flush = async () => {
    while (waiting.length > 0) {
      const batch = waiting.splice(0, batchMax)
      const isSent = await send(batch)
      counts[isSent ? 'sent' : 'dropped'] += batch.length
    }
  }
  const send = async (batch: readonly Span[]): Promise<boolean> => {
    const body = JSON.stringify(toOtlp(batch))
    for (let tries = 1, waitMs = firstWaitMs; ; tries += 1, waitMs *= 2) {
      const answer = await post(config.url, headers, body)
      if (answer === 'taken') return true
      if (failures++ % failuresPerLine === 0)
        log.warn({ why: answer.why }, 'spans do not get to their collector')
      if (!answer.isPassing || tries === triesMax || stop.signal.aborted) return false
      await sleep(waitMs, undefined, { signal: stop.signal }).catch(() => {}) // Ending: the last try is now.
    }
  }
  const timer = setInterval(() => {
    running ??= flush().finally(() => {
      running = undefined
    })
  }, everyMs).unref()

  return {
    add(span) {
      if (waiting.length >= spansMax) counts.dropped += 1
      else waiting.push(span)
    },
    counts: () => ({ ...counts }),
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      stop.abort()
      await running
      await flush()
    },
  }
}

type Answer = 'taken' | { why: string; isPassing: boolean }

// "Retryable response codes" of the specification.
const passing = new Set([429, 502, 503, 504])

async function post(url: string, headers: Secret[], body: string): Promise<Answer> {
  try {
    const { statusCode, body: answer } = await request(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...Object.fromEntries(headers.map((header) => toPair(header.reveal()))),
      },
      body,
      headersTimeout: silentMsMax,
      bodyTimeout: silentMsMax,
    })
    await answer.dump()
    if (statusCode < 300) return 'taken'
    return { why: `It answered ${statusCode}.`, isPassing: passing.has(statusCode) }
  } catch (error) {
    // The code alone: the message of an error may repeat a header.
    return { why: (error as { code?: string }).code ?? 'It does not answer.', isPassing: true }
  }
}

/** A line a header, `name: value`, as collectors ask for them: they hold keys. */
function readHeaders(file: string | undefined): Secret[] {
  if (file === undefined) return []
  const lines = readFileSync(file, 'utf8').split('\n')
  return lines
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line, index) => {
      if (!/^[\w-]+:\s*[\x20-\x7e]+$/.test(line))
        throw new Error(`Line ${index + 1} of ${file} is no header: write name: value.`)
      return new Secret(line)
    })
}

const toPair = (line: string): [string, string] => {
  const at = line.indexOf(':')
  return [line.slice(0, at), line.slice(at + 1).trim()]
}
