import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import type { Wire } from '../api.ts'
import {
  bash,
  call,
  chunk,
  closing,
  delta,
  message,
  pieces,
  read,
  sse,
  start,
  text,
  toFacts,
  tool,
  usage,
} from './testing.ts'

const streams: [string, Wire, unknown[], Partial<ReturnType<typeof toFacts>>][] = [
  [
    'Messages: cached tokens come on top of input_tokens',
    'messages',
    [
      start({
        input_tokens: 10,
        cache_read_input_tokens: 100,
        cache_creation_input_tokens: 20,
        output_tokens: 1,
      }),
      text('héllo 👋'),
      delta({ output_tokens: 7 }),
    ],
    { usage: usage(130, 100, 20, 7), text: 'héllo 👋', stopReason: 'end_turn', isUsageFinal: true },
  ],
  [
    'Messages: message_delta restates, field by field',
    'messages',
    [
      start({ input_tokens: 0, output_tokens: 0 }),
      delta({ input_tokens: 50, output_tokens: 3 }),
      delta({ output_tokens: 9, cache_read_input_tokens: 4 }),
    ],
    { usage: usage(54, 4, 0, 9), isUsageFinal: true },
  ],
  [
    'Messages: nulls in message_delta leave what was known',
    'messages',
    [
      start({ input_tokens: 10, cache_read_input_tokens: 5, output_tokens: 1 }),
      delta({ input_tokens: null, cache_read_input_tokens: null, output_tokens: 2 }),
    ],
    { usage: usage(15, 5, 0, 2) },
  ],
  [
    'Messages: the split of cache writes counts only without their total',
    'messages',
    [
      start({
        input_tokens: 1,
        cache_creation: { ephemeral_5m_input_tokens: 3, ephemeral_1h_input_tokens: 4 },
        output_tokens: 1,
      }),
      delta({ output_tokens: 1 }),
    ],
    { usage: usage(8, 0, 7, 1, { cacheWrite1hTokens: 4 }) },
  ],
  [
    'Messages: the total of cache writes wins over the split',
    'messages',
    [
      start({
        input_tokens: 1,
        cache_creation_input_tokens: 9,
        cache_creation: { ephemeral_5m_input_tokens: 3 },
        output_tokens: 1,
      }),
      delta({ output_tokens: 1 }),
    ],
    { usage: usage(10, 0, 9, 1) },
  ],
  [
    'Messages: tool calls are put together',
    'messages',
    [
      start({ input_tokens: 1, output_tokens: 1 }),
      text('a'),
      ...tool,
      delta({ output_tokens: 5 }, 'tool_use'),
    ],
    { toolCalls: [bash], stopReason: 'tool_use' },
  ],
  [
    'Messages: an error inside the stream is kept',
    'messages',
    [
      start({ input_tokens: 3, output_tokens: 1 }),
      { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } },
    ],
    { error: 'Overloaded', isUsageFinal: false, usage: usage(3, 0, 0, 1) },
  ],
  [
    'Messages: pings and unknown events change nothing',
    'messages',
    [
      start({ input_tokens: 2, output_tokens: 1 }),
      { type: 'ping' },
      { type: 'new_thing', usage: { input_tokens: 99 } },
      'no json',
      delta({ output_tokens: 1 }),
    ],
    { usage: usage(2, 0, 0, 1), isUsageFinal: true },
  ],
  [
    'chat: usage comes in a chunk without choices',
    'chat',
    [
      chunk({}, { delta: { content: 'he' } }),
      chunk({ usage: null }, { delta: { content: 'llo' }, finish_reason: 'stop' }),
      {
        choices: [],
        usage: {
          prompt_tokens: 20,
          completion_tokens: 5,
          prompt_tokens_details: { cached_tokens: 8 },
        },
      },
      '[DONE]',
    ],
    { usage: usage(20, 8, 0, 5), text: 'hello', stopReason: 'stop', isUsageFinal: true },
  ],
  [
    'chat: usage repeated in each chunk counts once',
    'chat',
    [
      chunk({ usage: { prompt_tokens: 20, completion_tokens: 1 } }),
      chunk({ usage: { prompt_tokens: 20, completion_tokens: 2 } }),
    ],
    { usage: usage(20, 0, 0, 2) },
  ],
  [
    'chat: without usage nothing is final',
    'chat',
    [chunk({}, { delta: { content: 'x' }, finish_reason: 'stop' }), '[DONE]'],
    { isUsageFinal: false, text: 'x' },
  ],
  [
    'chat: two tool calls are kept apart by their index',
    'chat',
    [
      chunk(
        {},
        {
          delta: {
            tool_calls: [
              { index: 0, id: 't1', function: { name: 'bash', arguments: '' } },
              { index: 1, id: 't2', function: { name: 'read', arguments: '{}' } },
            ],
          },
        },
      ),
      chunk(
        {},
        {
          delta: { tool_calls: [{ index: 0, function: { arguments: '{"command":"ls"}' } }] },
          finish_reason: 'tool_calls',
        },
      ),
    ],
    { toolCalls: [bash, { id: 't2', name: 'read', input: '{}' }], stopReason: 'tool_calls' },
  ],
  [
    'Responses: the finished item wins over its deltas',
    'responses',
    [
      { type: 'response.output_text.delta', item_id: 'i1', delta: 'hél' },
      { type: 'response.output_item.done', output_index: 0, item: message },
      { type: 'response.output_item.done', output_index: 1, item: call },
      closing('completed', {
        status: 'completed',
        output: [message, call],
        usage: { input_tokens: 30, input_tokens_details: { cached_tokens: 6 }, output_tokens: 4 },
      }),
    ],
    {
      usage: usage(30, 6, 0, 4),
      text: 'héllo',
      toolCalls: [{ id: 'c1', name: 'exec', input: '{"cmd":"ls"}' }],
      stopReason: 'completed',
      isUsageFinal: true,
    },
  ],
  [
    'Responses: a custom tool has free text',
    'responses',
    [
      {
        type: 'response.output_item.done',
        item: { type: 'custom_tool_call', call_id: 'c', name: 'apply_patch', input: '*** Begin' },
      },
    ],
    { toolCalls: [{ id: 'c', name: 'apply_patch', input: '*** Begin' }], isUsageFinal: false },
  ],
  [
    'Responses: deltas stand for an item that was cut',
    'responses',
    [
      { type: 'response.output_text.delta', item_id: 'i1', delta: 'par' },
      { type: 'response.output_text.delta', item_id: 'i1', delta: 'tial' },
    ],
    { text: 'partial', isUsageFinal: false },
  ],
  [
    'Responses: a failure keeps its message',
    'responses',
    [
      closing('failed', {
        status: 'failed',
        error: { code: 'server_error', message: 'It broke' },
        usage: null,
      }),
    ],
    { error: 'It broke', stopReason: 'failed', isUsageFinal: false },
  ],
  [
    'Responses: an incomplete answer says why',
    'responses',
    [
      closing('incomplete', {
        status: 'incomplete',
        incomplete_details: { reason: 'max_output_tokens' },
        usage: { input_tokens: 1, output_tokens: 2 },
      }),
    ],
    { stopReason: 'max_output_tokens', usage: usage(1, 0, 0, 2), isUsageFinal: true },
  ],
]

describe('reading a stream', () => {
  for (const [title, wire, events, expected] of streams) {
    test(title, async () => {
      const bytes = Buffer.from(sse(events))
      const facts = toFacts(await read(wire, [bytes]))
      for (const [key, value] of Object.entries(expected)) {
        assert.deepEqual(facts[key as keyof typeof facts], value, key)
      }
      for (const size of [1, 7, 64])
        assert.deepEqual(toFacts(await read(wire, pieces(bytes, size))), facts)
      const crlf = Buffer.from(sse(events, '\r\n'))
      assert.deepEqual(toFacts(await read(wire, pieces(crlf, 5))), facts)
      assert.deepEqual(toFacts(await read(wire, [Buffer.from(sse(events).trimEnd())])), facts)
      for (const [encoding, encode] of Object.entries({
        gzip: gzipSync,
        br: brotliCompressSync,
        zstd: zstdCompressSync,
        deflate: deflateSync,
      })) {
        assert.deepEqual(
          toFacts(
            await read(
              wire,
              pieces(encode(bytes), 3),
              'text/event-stream; charset=utf-8',
              encoding,
            ),
          ),
          facts,
          encoding,
        )
      }
    })
  }

  test('a compressed stream that is cut is read as far as it came', async () => {
    const bytes = gzipSync(
      sse([
        start({ input_tokens: 5, output_tokens: 1 }),
        text('x'.repeat(10_000)),
        delta({ output_tokens: 3 }),
      ]),
      { level: 0 },
    )
    const answer = await read(
      'messages',
      [bytes.subarray(0, bytes.length - 200)],
      'text/event-stream',
      'gzip',
    )
    assert.equal(answer.usage().inputTokens, 5)
    assert.equal(answer.isUsageFinal, false)
  })

  test('an encoding nobody knows leaves the answer unread, and ends', async () => {
    assert.equal(
      (await read('messages', [Buffer.from('x')], 'text/event-stream', 'rot13')).isUsageFinal,
      false,
    )
  })

  test('bytes that are no gzip leave the answer unread, and end', async () => {
    assert.equal(
      (await read('chat', [Buffer.from('not gzip at all')], 'application/json', 'gzip'))
        .isUsageFinal,
      false,
    )
  })

  test('no bytes whatever break a reader', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('messages', 'chat', 'responses', 'gemini'),
        fc.jsonValue(),
        fc.boolean(),
        async (wire, value, isStream) => {
          const body = isStream ? sse([value]) : JSON.stringify(value)
          const { inputTokens, cachedTokens } = (
            await read(
              wire,
              [Buffer.from(body)],
              isStream ? 'text/event-stream' : 'application/json',
            )
          ).usage()
          assert.ok(inputTokens >= cachedTokens)
        },
      ),
    )
  })
})

test('an answer that unpacks to more than is read is estimated, and so is one that is too long', async () => {
  const filler = (bytes: number) => Buffer.alloc(bytes, ' ')
  const mib = 1024 * 1024
  const end = Buffer.from(sse([start({ input_tokens: 1 }), delta({ output_tokens: 2 })]))
  const whole = Buffer.from('{"usage":{"input_tokens":1,"output_tokens":2}}')
  const line = Buffer.concat([Buffer.from('data: '), filler(17 * mib), Buffer.from('\n\n')])
  const comments = Array.from({ length: 65 }, () => Buffer.from(`:${' '.repeat(mib - 2)}\n`))
  const bomb = gzipSync(Buffer.concat([...comments, end]))
  const values = gzipSync(Buffer.concat([Buffer.from('[{'), filler(31 * mib), filler(31 * mib)]))
  for (const [title, wire, chunks, encoding] of [
    [
      'one event',
      'messages',
      [line.subarray(0, 9), line.subarray(9, -2), line.subarray(-2), end],
      '',
    ],
    ['a body', 'messages', [whole.subarray(0, 1), filler(33 * mib), whole.subarray(1)], ''],
    ['a stream', 'messages', [bomb], 'gzip'],
    ['values', 'gemini', [values], 'gzip'],
  ] as const) {
    const answer = await read(wire, [...chunks], undefined, encoding)
    assert.equal(answer.isUsageFinal, false, title)
  }
  assert.equal((await read('messages', [end])).isUsageFinal, true)
})

test('an event of several data lines is one, wherever it is cut', async () => {
  const [first, ...rest] = JSON.stringify(delta({ output_tokens: 2 }), null, 1).split('\n')
  const stream = [`data: ${first}`, ...rest.map((line) => `data: ${line}`), '', ''].join('\r\n')
  for (let at = 0; at <= stream.length; at += 1) {
    const cut = [stream.slice(0, at), stream.slice(at)].map((part) => Buffer.from(part))
    assert.equal((await read('messages', cut)).output, 2, `cut at ${at}`)
  }
})

test('words that came in pieces and again in their item are counted once, also where it is cut then', async () => {
  const words = 'héllo'
  const events = [
    ...Array.from(words, (delta) => ({ type: 'response.output_text.delta', item_id: 'i1', delta })),
    { type: 'response.output_item.done', output_index: 0, item: message },
  ]
  const answer = await read('responses', [Buffer.from(sse(events))])
  assert.deepEqual([answer.text, answer.outputChars], [words, words.length])
})

test('text is the same by the short way and by JSON, whatever it holds and however it is spaced', async () => {
  const spaced = (data: string) =>
    data.replace('{"type":', '{"type": ').replace(/\}\}$/, '}      }')
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.constantFrom('a"}}', '\\', '\n', '\u0085', '{}'),
        ),
      ),
      fc.boolean(),
      async (words, isSpaced) => {
        const events = words.map((word) => JSON.stringify(text(word)))
        const lines = events.map((data) => `data: ${isSpaced ? spaced(data) : data}\n\n`)
        const answer = await read('messages', [Buffer.from(lines.join(''))])
        assert.equal(answer.text, words.join(''))
        assert.equal(answer.outputChars, answer.text.length)
      },
    ),
  )
})
