import { type Hostile, testHostile, usage } from './testing.ts'

const say = (text: string, more: object = {}, candidate: object = {}) => ({
  candidates: [{ content: { parts: [{ text }], role: 'model' }, index: 0, ...candidate }],
  ...more,
})
const stop = { finishReason: 'STOP' }
const count = (promptTokenCount: number, candidatesTokenCount: number, more: object = {}) => ({
  usageMetadata: {
    promptTokenCount,
    candidatesTokenCount,
    totalTokenCount: promptTokenCount + candidatesTokenCount,
    ...more,
  },
})

const cases: Hostile[] = [
  {
    title: 'a count with every piece is a total so far',
    sent: { events: [say('a', count(9, 1)), say('b', count(9, 2)), say('c', count(9, 3), stop)] },
    usage: usage(9, 0, 0, 3),
  },
  {
    title: 'a stream that is cut has no count, though each piece had one',
    sent: { events: [say('a', count(9, 1)), say('b', count(9, 2))] },
    usage: undefined,
  },
  {
    title: 'thoughts are output, prompts of tools are input, the cache is a part',
    sent: {
      body: say(
        'a',
        count(100, 5, {
          ...{ cachedContentTokenCount: 60, thoughtsTokenCount: 7, toolUsePromptTokenCount: 11 },
        }),
        stop,
      ),
    },
    usage: usage(111, 60, 0, 12, { reasoningTokens: 7 }),
  },
  {
    title: 'thoughts that come first and are left out later stay',
    sent: {
      events: [
        { usageMetadata: { promptTokenCount: 9, thoughtsTokenCount: 40, totalTokenCount: 49 } },
        say('a', count(9, 1)),
        say('b', count(9, 2), stop),
      ],
    },
    usage: usage(9, 0, 0, 42, { reasoningTokens: 40 }),
  },
  {
    title: 'a total without its parts has the output in it',
    sent: { body: say('a', { usageMetadata: { promptTokenCount: 9, totalTokenCount: 20 } }, stop) },
    usage: usage(9, 0, 0, 11),
  },
  {
    title: 'a second answer that ends without a count makes the one before it stale',
    sent: {
      events: [say('a', count(9, 1), stop), say('bcd', {}, { ...stop, index: 1 })],
    },
    usage: undefined,
  },
  {
    title: 'a reason without a count makes the one before it stale',
    sent: { events: [say('a', count(9, 1)), say('bcd', {}, stop)] },
    usage: undefined,
  },
  {
    title: 'a count after the reason is the last one',
    sent: { events: [say('a', count(9, 1), stop), count(9, 4)] },
    usage: usage(9, 0, 0, 4),
  },
  {
    title: 'a count of null is none',
    sent: { events: [say('a', { usageMetadata: null }, stop)] },
    usage: undefined,
  },
  {
    title: 'negative, absurd and broken counts of Gemini are none',
    sent: {
      events: [
        say('a', count(9, 1)),
        say('b', { usageMetadata: { promptTokenCount: -3, candidatesTokenCount: '5' } }),
        say('c', count(9.5, 3.2), stop),
      ],
    },
    usage: usage(10, 0, 0, 4),
  },
  {
    title: 'several candidates have one count',
    sent: {
      body: {
        candidates: [
          { index: 0, content: { parts: [{ text: 'a' }] }, ...stop },
          { index: 1, content: { parts: [{ text: 'b' }] }, ...stop },
        ],
        ...count(9, 12),
      },
    },
    usage: usage(9, 0, 0, 12),
  },
  {
    title: 'searches are counted by what was searched for, and the last piece has them all',
    sent: {
      events: [
        say('a', count(9, 1), { groundingMetadata: { webSearchQueries: ['x'] } }),
        say('b', count(9, 2), { groundingMetadata: { webSearchQueries: ['x', 'y'] }, ...stop }),
      ],
    },
    usage: usage(9, 0, 0, 2, { serverToolCalls: { web_search: 2 } }),
  },
  {
    title: 'maps, pages and code of the vendor are counted',
    sent: {
      body: {
        candidates: [
          {
            content: { parts: [{ executableCode: { code: 'print(1)' } }, { text: 'a' }] },
            groundingMetadata: { groundingChunks: [{ maps: { uri: 'x' } }] },
            urlContextMetadata: { urlMetadata: [{}, {}] },
            ...stop,
          },
        ],
        ...count(9, 2),
      },
    },
    usage: usage(9, 0, 0, 2, {
      serverToolCalls: { maps_search: 1, web_fetch: 2, code_execution: 1 },
    }),
  },
  {
    title: 'how it was served, in the words of either platform',
    sent: { body: say('a', count(9, 1, { trafficType: 'ON_DEMAND_PRIORITY' }), stop) },
    usage: usage(9, 0, 0, 1),
    more: { serviceTier: 'priority' },
  },
  {
    title: 'served in the plain way',
    sent: {
      body: say('a', count(9, 1, { trafficType: 'ON_DEMAND', serviceTier: 'STANDARD' }), stop),
    },
    usage: usage(9, 0, 0, 1),
    more: { serviceTier: null },
  },
  {
    title: 'an array of pieces is a stream as well',
    sent: {
      json: `[${JSON.stringify(say('a{"}', count(9, 1)), null, 2)}\n,\r\n${JSON.stringify(say('b', count(9, 2), stop))}]`,
    },
    usage: usage(9, 0, 0, 2),
  },
  {
    title: 'a prompt that is blocked has its price',
    sent: { body: { promptFeedback: { blockReason: 'SAFETY' }, ...count(9, 0) } },
    usage: usage(9, 0, 0, 0),
  },
  {
    title: 'an embedding with a count',
    sent: { body: { embedding: { values: [0.1] }, usageMetadata: { promptTokenCount: 8 } } },
    usage: usage(8, 0, 0, 0),
  },
  {
    title: 'embeddings with their tokens beside each',
    sent: {
      body: {
        embeddings: [
          { values: [0.1], statistics: { tokenCount: 3, truncated: false } },
          { values: [0.2], statistics: { tokenCount: 4 } },
        ],
      },
    },
    usage: usage(7, 0, 0, 0),
  },
  {
    title: 'an embedding without any count is to be estimated',
    sent: { body: { embedding: { values: [0.1, 0.2] } } },
    usage: undefined,
  },
  {
    title: 'an error of Google has its code',
    sent: { body: { error: { code: 429, message: 'Spent', status: 'RESOURCE_EXHAUSTED' } } },
    usage: undefined,
    more: { errorCode: '429', isRefused: true },
  },
]

testHostile('gemini', cases)
