// Byte for byte both ways, however the bytes are cut: sixty shapes of requests and answers, compared by hash against exactly
// the differences that the README lists. By the fast lane, all but the one that is not plain enough for it.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, beforeEach, describe, test } from 'node:test'
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { startPostgres } from '../testing/postgres.ts'
import { parseMetrics } from './observe/testing.ts'
import { clientKey, type Stage, startStage, vaultedKey } from './testing/stage.ts'
import { askBytes, everyByte, type Message, randomCuts, startByteVendor } from './testing/wire.ts'

const sha = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const smallBytes = 700 // Up to here each byte comes alone.

type Shape = {
  path?: string
  headers?: string
  body?: Buffer
  /** Its own head as bytes, framing left out. */
  answer?: {
    status?: number
    headers?: string
    body?: Buffer
    framing?: 'chunks' | 'close'
    before?: string
  }
}
const json = 'content-type: application/json\r\n'
const sse = 'content-type: text/event-stream; charset=utf-8\r\n'
const plain = '{"model":"m-1","max_tokens":5,"messages":[]}'
const error =
  '{"type":"error","error":{"type":"x_error","message":"no \\u00e9 é"},  "request_id":"req_1"}'
const start =
  'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":3}}}\n\n'
const text =
  'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"type":"text_delta","text":"é👋"}}\n\n'
const stop = 'event: message_stop\ndata: {"type":"message_stop"}\n\n'
const stream = start + text + stop

const request = (title: string, shape: Omit<Shape, 'answer'>): [string, Shape] => [title, shape]
const answer = (title: string, shape: NonNullable<Shape['answer']>): [string, Shape] => [
  title,
  { answer: shape },
]
const failing = (status: number, headers = ''): [string, Shape] =>
  answer(`an error with status ${status}`, {
    status,
    headers: json + headers,
    body: Buffer.from(error),
  })
const streamed = (title: string, said: string | Buffer, headers = ''): [string, Shape] =>
  answer(title, { headers: sse + headers, body: Buffer.from(said), framing: 'chunks' })

const shapes: readonly [string, Shape][] = [
  request('a plain request', { body: Buffer.from(plain) }),
  request('a query', { path: '/v1/messages?beta=true&x=%2F+%20&x=2&&y' }),
  request('an empty query', { path: '/v1/messages?' }),
  request('fields that nobody knows', {
    body: Buffer.from('{"x_new":{"a":[1,{"b":null}]},"model":"m-1","z":1}'),
  }),
  request('integers past 2^53 and odd numbers', {
    body: Buffer.from('{"model":"m-1","n":12345678901234567890,"f":1.0e+2,"z":-0}'),
  }),
  request('unknown keys that stand twice', {
    body: Buffer.from('{"x":1,"model":"m-1","x":2,"X":3}'),
  }),
  request('escapes of Unicode', {
    body: Buffer.from('{"model":"m-1","t":"\\u00e9\\ud83d\\udc4b \\/ é 👋 \\u0000"}'),
  }),
  request('lone surrogates and bytes that are no UTF-8', {
    body: Buffer.from('{"model":"m-1","t":"\\ud83d \xff\xfe"}', 'latin1'),
  }),
  request('space everywhere', {
    body: Buffer.from(' \r\n\t{ "model" : "m-1" ,\n"a" : [ 1 , 2 ] }\n\n'),
  }),
  request('the model at the end', {
    body: Buffer.from('{"messages":[{"content":"x\\"\\\\"}],"model":"m-1"}'),
  }),
  request('a large body', {
    body: Buffer.from(`{"model":"m-1","t":"${'line \\n\\"q\\" é '.repeat(20_000)}"}`),
  }),
  request('headers of Anthropic, known and new', {
    headers:
      'anthropic-version: 2026-10-21\r\nanthropic-beta: a,b, c\r\nanthropic-brand-new: yes\r\n',
  }),
  request('headers of OpenAI', {
    headers: 'openai-organization: org-1\r\nOpenAI-Beta: x=1\r\nx-stainless-os: Linux\r\n',
  }),
  request('a header that stands twice', { headers: 'anthropic-beta: a\r\nAnthropic-Beta: b\r\n' }),
  request('an empty header and one with high bytes', {
    headers: 'x-empty:\r\nx-high: caf\xe9\r\n',
  }),
  request('a huge header', { headers: `x-codex-turn-metadata: ${'m'.repeat(8_000)}\r\n` }),
  request('headers that stay here', {
    headers: 'cookie: a=b\r\nx-forwarded-for: 1.2.3.4\r\nx-hop: 1\r\nte: trailers\r\nvia: x\r\n',
  }),
  request('a wish for every packing', { headers: 'accept-encoding: gzip, deflate, br, zstd\r\n' }),
  request('a packed body', { headers: 'content-encoding: gzip\r\n', body: gzipSync(plain) }),
  answer('an answer of JSON', {
    headers: json,
    body: Buffer.from('{ "n":12345678901234567890 }\n'),
  }),
  answer('an answer in chunks', { headers: json, body: Buffer.from('{"a":1}'), framing: 'chunks' }),
  answer('an answer that ends with its connection', {
    headers: json,
    body: Buffer.from('{"a":1}'),
    framing: 'close',
  }),
  answer('an empty answer', { headers: json }),
  answer('an answer without content', { status: 204 }),
  answer('an answer after early hints', {
    headers: json,
    body: Buffer.from('{}'),
    before: 'HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n',
  }),
  answer('an answer after processing', {
    headers: json,
    body: Buffer.from('{}'),
    before: 'HTTP/1.1 102 Processing\r\n\r\n',
  }),
  ...[301, 400, 401, 402, 403, 404, 409, 413, 422, 500, 502, 503, 504, 529, 599].map((status) =>
    failing(status),
  ),
  failing(429, 'retry-after: 7\r\nretry-after-ms: 7000\r\nx-should-retry: true\r\n'),
  answer('limits of the vendor', {
    headers: `${json}anthropic-ratelimit-unified-status: allowed\r\nx-ratelimit-remaining-tokens: 9\r\nrequest-id: req_1\r\nx-request-id: a\r\nopenai-processing-ms: 3\r\n`,
    body: Buffer.from('{}'),
  }),
  answer('headers in odd case, twice and empty', {
    headers: `${json}X-ODD: 1\r\nx-odd: 2\r\nx-none:\r\nCF-Ray: é\r\n`,
    body: Buffer.from('{}'),
  }),
  answer('a huge header back', {
    headers: `${json}x-huge: ${'h'.repeat(12_000)}\r\n`,
    body: Buffer.from('{}'),
  }),
  answer('cookies, which stay here', {
    headers: `${json}set-cookie: a=b\r\nconnection: x-hop, keep-alive\r\nx-hop: 1\r\n`,
    body: Buffer.from('{}'),
  }),
  answer('an answer in gzip', {
    headers: `${json}content-encoding: gzip\r\n`,
    body: gzipSync('{"a":1}'),
  }),
  answer('an answer in brotli', {
    headers: `${json}content-encoding: br\r\n`,
    body: brotliCompressSync('{"a":1}'),
  }),
  answer('an answer in zstd', {
    headers: `${json}content-encoding: zstd\r\n`,
    body: zstdCompressSync('{"a":1}'),
  }),
  answer('an answer that says gzip and is none', {
    headers: `${json}content-encoding: gzip\r\n`,
    body: Buffer.from('no gzip'),
  }),
  streamed('a stream', stream),
  streamed('a stream with CRLF', stream.replaceAll('\n', '\r\n')),
  streamed('a stream with bare CR', stream.replaceAll('\n', '\r')),
  streamed(
    'a stream with comments and pings',
    `: hi\n\n${start}: ping\n\nevent: ping\ndata: {"type": "ping"}\n\n${text}:\n\n${stop}`,
  ),
  streamed(
    'a stream with unknown events and fields',
    `id: 7\nretry: 5\nevent: brand_new\ndata: {"type":"brand_new","n":12345678901234567890}\n\nfoo: bar\n\n${stream}`,
  ),
  streamed(
    'a stream with an error inside',
    `${start}event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n`,
  ),
  streamed('a stream that is no JSON', `data: {"type":\n\ndata: [DONE]\n\ndata:\n\n\n\n\n`),
  streamed('a stream without its last line', stream.slice(0, -2)),
  streamed('a stream with a mark of byte order', `\ufeff${stream}`),
  streamed('a stream in gzip', gzipSync(stream), 'content-encoding: gzip\r\n'),
  streamed('a stream in brotli', brotliCompressSync(stream), 'content-encoding: br\r\n'),
  streamed('a long stream', start + text.repeat(2_000) + stop),
]

const seeds = [1, 2, Math.floor(Math.random() * 2 ** 31)]

describe(`every shape, cut by ${seeds}`, () => {
  const owned = new AsyncDisposableStack()
  let stage: Stage
  let vendor: Awaited<ReturnType<typeof startByteVendor>>
  before(async () => {
    const postgres = owned.use(await startPostgres())
    vendor = owned.use(await startByteVendor())
    stage = owned.use(await startStage({ postgres }))
    await stage.addProvider({ models: ['m-1'], baseUrl: vendor.url.href })
  })
  after(() => owned.disposeAsync())
  beforeEach(() => {
    vendor.seen.length = 0
  })

  let cutEverywhere = 0
  let general = 0
  for (const [title, shape] of shapes) {
    test(`${title} is the same on both sides, cut anywhere`, async () => {
      const asked = toRequest(shape)
      const { bytes, message, isClosing } = toAnswer(shape)
      const cutEachByte = asked.length < smallBytes && bytes.length < smallBytes
      if (cutEachByte) cutEverywhere += 1
      const ways: (readonly [readonly number[], readonly number[]])[] = [
        [[], []],
        ...seeds.map((seed) => [randomCuts(asked, seed), randomCuts(bytes, seed)] as const),
        ...(cutEachByte ? [[everyByte(asked), everyByte(bytes)] as const] : []),
      ]
      if (shape.headers?.includes('x-hop')) general += ways.length
      for (const [askCuts, cuts] of ways) {
        vendor.seen.length = 0
        vendor.state.answer = { bytes, cuts, isClosing }
        const got = await askBytes(stage.url, asked, askCuts)
        assertRequest(shape, vendor.seen)
        assertAnswer(message, got)
      }
    })
  }

  test('sixty of them and more, forty cut at every byte, went by the fast lane', async () => {
    assert.ok(shapes.length >= 60 && cutEverywhere >= 40, `${shapes.length}, ${cutEverywhere}`)
    const metrics = parseMetrics(await (await stage.admin('GET', '/api/metrics')).text())
    const slow = metrics.find(({ labels }) => labels['lane'] === 'general')
    assert.equal(slow!.value, general)
  })

  function assertRequest(
    { path = '/v1/messages', headers = '', body = Buffer.from(plain) }: Shape,
    seen: readonly Message[],
  ) {
    assert.equal(seen.length, 1)
    const [got] = seen
    assert.equal(got!.start, `POST ${path} HTTP/1.1`)
    assert.equal(sha(got!.body), sha(body))
    const stays = /^(cookie|x-forwarded-for|x-hop|te|via):/
    const lines = headers.split('\r\n').filter((line) => line !== '' && !stays.test(line))
    const sent = lines.map((line) => {
      const [name = '', ...value] = line.split(':')
      return [name.toLowerCase(), value.join(':').trim()]
    })
    const version = sent.some(([name]) => name === 'anthropic-version')
      ? []
      : [['anthropic-version', '2023-06-01']]
    const ours = [['x-api-key', vaultedKey], ['content-type', 'application/json'], ...version]
    const framing = new Set(['host', 'connection', 'content-length'])
    const arrived = got!.headers.map(([name, value]) => [name.toLowerCase(), value])
    assert.deepEqual(
      arrived
        .filter(([name]) => !framing.has(name!))
        .map(String)
        .sort(),
      [...ours, ...sent].map(String).sort(),
    )
  }

  function assertAnswer(sent: Message, got: Message) {
    assert.equal(got.start.split(' ')[1], sent.start.split(' ')[1])
    assert.equal(sha(got.body), sha(sent.body))
    const stays = new Set([
      'connection',
      'keep-alive',
      'transfer-encoding',
      'content-length',
      'set-cookie',
      'x-hop',
    ])
    const isOurs = (name: string) => name === 'date' // The vendors send one; these bytes have none.
    assert.deepEqual(
      got.headers.filter(([name]) => !stays.has(name.toLowerCase()) && !isOurs(name.toLowerCase())),
      sent.headers.filter(([name]) => !stays.has(name.toLowerCase())),
    )
  }

  test('an answer that breaks off is never taken for a whole one', async () => {
    const { bytes } = toAnswer({
      answer: { headers: sse, body: Buffer.from(stream), framing: 'chunks' },
    })
    const broken = bytes.subarray(0, -9)
    vendor.state.answer = { bytes: broken, cuts: [40, broken.length - 5], isClosing: true }
    await assert.rejects(askBytes(stage.url, toRequest({}), []), /ECONNRESET|no whole answer/)
  })
})

function toRequest({
  path = '/v1/messages',
  headers = '',
  body = Buffer.from(plain),
}: Shape): Buffer {
  const connection = headers.includes('x-hop') ? 'close, x-hop' : 'close'
  const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nX-Api-Key: ${clientKey}\r\ncontent-type: application/json\r\nconnection: ${connection}\r\n${headers}content-length: ${body.length}\r\n\r\n`
  return Buffer.concat([Buffer.from(head, 'latin1'), body])
}

function toAnswer({ answer: shape = {} }: Shape) {
  const {
    status = 200,
    headers = json,
    body = Buffer.alloc(0),
    framing,
    before: first = '',
  } = shape
  const start = `HTTP/1.1 ${status} Whatever`
  const length = status === 204 ? '' : `content-length: ${body.length}\r\n`
  const lines = {
    chunks: 'transfer-encoding: chunked\r\n',
    close: 'connection: close\r\n',
    none: length,
  }
  const head = `${first}${start}\r\n${headers}${lines[framing ?? 'none']}\r\n`
  const chunks = Buffer.concat([
    ...toChunks(body).map((chunk) =>
      Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]),
    ),
    Buffer.from('0\r\n\r\n'),
  ])
  const bytes = Buffer.concat([Buffer.from(head, 'latin1'), framing === 'chunks' ? chunks : body])
  const pairs = headers.split('\r\n').filter((line) => line !== '')
  const message: Message = {
    start,
    headers: pairs.map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon), line.slice(colon + 1).trim()]
    }),
    body,
  }
  return { bytes, message, isClosing: framing === 'close' }
}

const chunkBytes = 5_000

function toChunks(body: Buffer): Buffer[] {
  const chunks: Buffer[] = []
  for (let at = 0; at < body.length; at += chunkBytes)
    chunks.push(body.subarray(at, at + chunkBytes))
  return chunks
}
