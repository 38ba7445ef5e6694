// What the tests of the readers share: events as the vendors send them, and bytes cut anywhere.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import type { CallUsage, Wire } from '../api.ts'
import type { Answer } from './answer.ts'
import { AnswerReader } from './reader.ts'

export const sse = (events: unknown[], end = '\n') =>
  events
    .map(
      (event) =>
        `event: x${end}data: ${typeof event === 'string' ? event : JSON.stringify(event)}${end}${end}`,
    )
    .join('')

export const read = (
  wire: Wire,
  chunks: Buffer[],
  contentType = 'text/event-stream',
  contentEncoding?: string,
) =>
  new Promise<Answer>((onRead) => {
    const reader = new AnswerReader({ wire, contentType, contentEncoding, onRead })
    for (const chunk of chunks) reader.push(chunk)
    reader.end()
  })

export const pieces = (bytes: Buffer, size: number) =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
    bytes.subarray(i * size, (i + 1) * size),
  )

export const toFacts = (answer: Answer) => {
  const { text, toolCalls, stopReason, error, isUsageFinal } = answer
  return { usage: answer.usage(), text, toolCalls, stopReason, error, isUsageFinal }
}

export const start = (usage: object) => ({
  type: 'message_start',
  message: { id: 'm', content: [], usage },
})
export const delta = (usage: object, stop_reason = 'end_turn') => ({
  type: 'message_delta',
  delta: { stop_reason },
  usage,
})
export const text = (words: string) => ({
  type: 'content_block_delta',
  index: 0,
  delta: { type: 'text_delta', text: words },
})
export const tool = [
  {
    type: 'content_block_start',
    index: 1,
    content_block: { type: 'tool_use', id: 't1', name: 'bash', input: {} },
  },
  {
    type: 'content_block_delta',
    index: 1,
    delta: { type: 'input_json_delta', partial_json: '{"command":' },
  },
  {
    type: 'content_block_delta',
    index: 1,
    delta: { type: 'input_json_delta', partial_json: '"ls"}' },
  },
]
export const chunk = (more: object, choice: object = {}) => ({
  object: 'chat.completion.chunk',
  choices: [{ index: 0, delta: {}, ...choice }],
  ...more,
})
export const closing = (type: string, more: object) => ({
  type: `response.${type}`,
  response: { id: 'r', ...more },
})
export const message = {
  type: 'message',
  id: 'i1',
  content: [{ type: 'output_text', text: 'héllo' }],
}
export const call = {
  type: 'function_call',
  id: 'i2',
  call_id: 'c1',
  name: 'exec',
  arguments: '{"cmd":"ls"}',
}
export const usage = (
  inputTokens: number,
  cachedTokens: number,
  cacheWriteTokens: number,
  outputTokens: number,
  more: Partial<CallUsage> = {},
): CallUsage => ({
  inputTokens,
  cachedTokens,
  cacheWriteTokens,
  cacheWrite1hTokens: 0,
  outputTokens,
  reasoningTokens: 0,
  serverToolCalls: {},
  ...more,
})
export const bash = { id: 't1', name: 'bash', input: '{"command":"ls"}' }

/** One answer as some server sends it, and what it came to. */
export type Hostile = {
  title: string
  /** Events of a stream, or its text where its very form is the point, or a whole JSON body. */
  sent: { events: unknown[] } | { stream: string } | { body: unknown } | { json: string }
  /** Exactly this, by the vendor's own count. Undefined = no count came, and so it may not pass for one. */
  usage: CallUsage | undefined
  more?: Partial<
    Pick<Answer, 'serviceTier' | 'isPending' | 'errorCode' | 'stopReason' | 'isRefused'>
  >
}

const encodings = {
  gzip: gzipSync,
  'x-gzip': gzipSync,
  br: brotliCompressSync,
  zstd: zstdCompressSync,
  deflate: deflateSync,
} as const

const randomSplits = 12

/** Each answer whole, byte by byte, cut at random, with every end of a line, and packed in every way. */
export function testHostile(wire: Wire, cases: readonly Hostile[]): void {
  const seed = Math.floor(Math.random() * 2 ** 32)
  describe(`usage of ${wire}, seed ${seed}`, () => {
    const random = createRandom(seed)
    for (const one of cases) {
      test(`${wire}: ${one.title}`, async () => {
        for (const [how, text] of formsOf(one.sent)) {
          const bytes = Buffer.from(text)
          const type = 'body' in one.sent || 'json' in one.sent ? json : 'text/event-stream'
          for (const chunks of splitsOf(bytes, random)) {
            assertExact(await read(wire, chunks, type), one, `${how}, seed ${seed}`)
          }
          for (const [encoding, pack] of Object.entries(encodings)) {
            const [chunks] = [randomly(pack(bytes), random)]
            assertExact(await read(wire, chunks, type, encoding), one, `${how}, ${encoding}`)
          }
        }
      })
    }
  })
}

const json = 'application/json'

function formsOf(sent: Hostile['sent']): [string, string][] {
  if ('body' in sent) return [['a body', JSON.stringify(sent.body)]]
  if ('json' in sent) return [['a body', sent.json]]
  if ('stream' in sent) return [['a stream', sent.stream]]
  return [
    ['LF', sse(sent.events)],
    ['CRLF', sse(sent.events, '\r\n')],
    ['CR', sse(sent.events, '\r')],
    ['a mark of the byte order', `\ufeff${sse(sent.events)}`],
    ['no last blank line', sse(sent.events).trimEnd()],
  ]
}

function splitsOf(bytes: Buffer, random: () => number): Buffer[][] {
  const some = Array.from({ length: randomSplits }, () => randomly(bytes, random))
  return [[bytes], pieces(bytes, 1), ...some]
}

function randomly(bytes: Buffer, random: () => number): Buffer[] {
  const chunks: Buffer[] = []
  for (let from = 0; from < bytes.length; ) {
    const size = 1 + Math.floor(random() ** 3 * 200)
    chunks.push(bytes.subarray(from, from + size))
    from += size
  }
  return chunks
}

/** mulberry32: small, and the same everywhere. */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function assertExact(answer: Answer, { usage: expected, more = {} }: Hostile, how: string): void {
  assert.equal(answer.isUsageFinal, expected !== undefined, `${how}: whether it is exact`)
  if (expected) assert.deepEqual(answer.usage(), expected, how)
  for (const [name, value] of Object.entries(more)) {
    assert.deepEqual(answer[name as keyof Answer], value, `${how}: ${name}`)
  }
}
