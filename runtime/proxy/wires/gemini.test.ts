import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { JsonValues } from './json-values.ts'
import { pieces, read, sse, toFacts, usage } from './testing.ts'

const say = (parts: object[], more: object = {}, candidate: object = {}) => ({
  candidates: [{ index: 0, content: { role: 'model', parts }, ...candidate }],
  ...more,
})
const stop = { finishReason: 'STOP' }
const count = (usageMetadata: object) => ({ usageMetadata })

const streams: [string, object[], Partial<ReturnType<typeof toFacts>>][] = [
  [
    'the last report of usage counts, thoughts as output, tools’ prompts as input',
    [
      say([{ text: 'hm', thought: true }], count({ promptTokenCount: 10, thoughtsTokenCount: 3 })),
      say([{ text: 'hé' }], count({ promptTokenCount: 10, candidatesTokenCount: 1 })),
      say(
        [{ text: 'llo {"}👋' }],
        count({
          promptTokenCount: 10,
          cachedContentTokenCount: 4,
          candidatesTokenCount: 5,
          thoughtsTokenCount: 7,
          toolUsePromptTokenCount: 2,
          totalTokenCount: 24,
        }),
        stop,
      ),
    ],
    {
      usage: usage(12, 4, 0, 12, { reasoningTokens: 7 }),
      text: 'héllo {"}👋',
      stopReason: 'STOP',
      isUsageFinal: true,
    },
  ],
  [
    'of a stream that is cut all is known that it told, thoughts as well',
    [
      {
        candidates: [{ content: { parts: [{ text: 'hé' }], role: 'model' }, index: 0 }],
        usageMetadata: {
          ...{ promptTokenCount: 9, candidatesTokenCount: 2, totalTokenCount: 15 },
          thoughtsTokenCount: 4,
        },
      },
    ],
    { usage: usage(9, 0, 0, 6, { reasoningTokens: 4 }), isUsageFinal: false },
  ],
  [
    'what a later report leaves out stays as it was',
    [
      say([], count({ promptTokenCount: 9, thoughtsTokenCount: 4, cachedContentTokenCount: 2 })),
      say([{ text: 'a' }], count({ promptTokenCount: 9, candidatesTokenCount: 1 }), stop),
    ],
    { usage: usage(9, 2, 0, 5, { reasoningTokens: 4 }), isUsageFinal: true },
  ],
  [
    'usage after the reason is final as well',
    [say([{ text: 'a' }], {}, stop), count({ promptTokenCount: 3, candidatesTokenCount: 1 })],
    { usage: usage(3, 0, 0, 1), isUsageFinal: true },
  ],
  [
    'usage without a reason is not final',
    [say([{ text: 'a' }], count({ promptTokenCount: 3, candidatesTokenCount: 1 }))],
    { usage: usage(3, 0, 0, 1), isUsageFinal: false },
  ],
  [
    'a reason without usage is not final',
    [say([{ text: 'a' }], {}, stop)],
    { isUsageFinal: false, stopReason: 'STOP' },
  ],
  [
    'all spent on thoughts is output',
    [
      say([], count({ promptTokenCount: 3, thoughtsTokenCount: 99 }), {
        finishReason: 'MAX_TOKENS',
      }),
    ],
    {
      usage: usage(3, 0, 0, 99, { reasoningTokens: 99 }),
      stopReason: 'MAX_TOKENS',
      isUsageFinal: true,
    },
  ],
  [
    'a blocked prompt has its reason and its price',
    [{ promptFeedback: { blockReason: 'SAFETY' }, ...count({ promptTokenCount: 3 }) }],
    { usage: usage(3, 0, 0, 0), stopReason: 'SAFETY', isUsageFinal: true },
  ],
  [
    'function calls are kept, with and without an id',
    [
      say([{ functionCall: { id: 'f1', name: 'ls', args: { a: [1] } } }]),
      say([{ functionCall: { name: 'pwd' }, thoughtSignature: 'x' }]),
    ],
    {
      toolCalls: [
        { id: 'f1', name: 'ls', input: '{"a":[1]}' },
        { id: '', name: 'pwd', input: '{}' },
      ],
    },
  ],
  [
    'an error keeps its message',
    [say([{ text: 'a' }]), { error: { code: 503, message: 'Overloaded', status: 'UNAVAILABLE' } }],
    { error: 'Overloaded', isUsageFinal: false, text: 'a' },
  ],
  [
    'of several candidates the first is the answer',
    [
      {
        candidates: [
          { index: 1, content: { parts: [{ text: 'no' }] } },
          { index: 0, content: { parts: [{ text: 'yes' }] }, ...stop },
        ],
      },
    ],
    { text: 'yes' },
  ],
  [
    'no part of it is trusted',
    [
      say([{ text: 7 }, { functionCall: 'x' }, 'x' as never], count({ promptTokenCount: -1 })),
      { candidates: 'x', usageMetadata: [], promptFeedback: 4 },
    ],
    { usage: usage(0, 0, 0, 0), text: '', isUsageFinal: false },
  ],
]

describe('reading a Gemini answer', () => {
  const list = (values: object[]) =>
    `[${values.map((value) => JSON.stringify(value, null, 2)).join('\n,\r\n')}\n]\n`

  for (const [title, values, expected] of streams) {
    test(`${title}: as events, as an array, in pieces, packed`, async () => {
      const events = toFacts(await read('gemini', [Buffer.from(sse(values, '\r\n'))]))
      for (const [key, value] of Object.entries(expected))
        assert.deepEqual(events[key as keyof typeof events], value, key)
      const bytes = Buffer.from(list(values))
      for (const size of [1, 7, 64, 100_000]) {
        const chunks = pieces(bytes, size)
        assert.deepEqual(toFacts(await read('gemini', chunks, 'application/json')), events)
      }
      for (const [encoding, packed] of [
        ['gzip', gzipSync(bytes)],
        ['br', brotliCompressSync(bytes)],
      ] as const) {
        const type = 'application/json; charset=UTF-8'
        assert.deepEqual(toFacts(await read('gemini', pieces(packed, 3), type, encoding)), events)
      }
    })
  }

  test('an answer that is one object is read as the one piece of itself', async () => {
    const [, , last] = streams[0]![1]
    const bytes = Buffer.from(JSON.stringify(last, null, 2))
    const { usage: found, isUsageFinal } = toFacts(
      await read('gemini', pieces(bytes, 9), 'application/json'),
    )
    assert.deepEqual([found, isUsageFinal], [usage(12, 4, 0, 12, { reasoningTokens: 7 }), true])
  })

  test('of an array that is cut inside a value, the values before it are read', async () => {
    const text = list(streams[0]![1])
    const cut = text.slice(0, text.lastIndexOf('totalTokenCount'))
    const facts = toFacts(await read('gemini', [Buffer.from(cut)], 'application/json'))
    assert.deepEqual(
      [facts.text, facts.usage, facts.isUsageFinal],
      ['hé', usage(10, 0, 0, 4, { reasoningTokens: 3 }), false],
    )
  })
})

describe('values of a JSON array', () => {
  const split = (bytes: Buffer, size: number) => {
    const found: unknown[] = []
    const values = new JsonValues((json) => found.push(JSON.parse(json)))
    for (const chunk of pieces(bytes, size)) values.push(chunk)
    return found
  }

  test('are the same however they are cut and spaced', () => {
    const objects = fc.array(fc.dictionary(fc.string(), fc.jsonValue()))
    fc.assert(
      fc.property(objects, fc.integer({ min: 1, max: 40 }), fc.nat(4), (list, size, indent) => {
        const expected = JSON.parse(JSON.stringify(list)) as unknown[]
        assert.deepEqual(split(Buffer.from(JSON.stringify(list, null, indent)), size), expected)
      }),
    )
  })

  test('come from no bytes whatever but objects, and never break the split', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const found: string[] = []
        new JsonValues((json) => found.push(json)).push(Buffer.from(bytes))
        assert.ok(found.every((json) => json.startsWith('{') && json.endsWith('}')))
      }),
    )
  })

  test('over the limit are refused', () => {
    const values = new JsonValues(() => {})
    values.push(Buffer.from('[{"a":"'))
    const chunk = Buffer.alloc(16 * 1024 * 1024, 'x')
    values.push(chunk)
    assert.throws(() => values.push(chunk), /too long/)
  })
})
