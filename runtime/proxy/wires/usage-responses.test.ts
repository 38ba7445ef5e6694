import { call, closing, type Hostile, message, testHostile, usage } from './testing.ts'

const counted = {
  input_tokens: 30,
  input_tokens_details: { cached_tokens: 6 },
  output_tokens: 4,
  output_tokens_details: { reasoning_tokens: 2 },
  total_tokens: 34,
}
const exact = usage(30, 6, 0, 4, { reasoningTokens: 2 })
const done = (item: object, output_index = 0) => ({
  type: 'response.output_item.done',
  output_index,
  item,
})
const piece = (delta: string) => ({
  ...{ type: 'response.output_text.delta', sequence_number: 3, item_id: 'i1' },
  ...{ output_index: 0, content_index: 0, delta, logprobs: [], obfuscation: 'x' },
})
const completed = (more: object = {}) =>
  closing('completed', { status: 'completed', usage: counted, ...more })

const cases: Hostile[] = [
  {
    title: 'the closing event has the count',
    sent: { events: [piece('hél'), piece('lo'), done(message), completed()] },
    usage: exact,
  },
  {
    title: 'an answer that was cut by its limit has its count',
    sent: {
      events: [
        piece('a'),
        closing('incomplete', {
          status: 'incomplete',
          incomplete_details: { reason: 'max_output_tokens' },
          usage: counted,
        }),
      ],
    },
    usage: exact,
    more: { stopReason: 'max_output_tokens' },
  },
  {
    title: 'an answer that failed has its count where one came',
    sent: {
      events: [
        closing('failed', {
          status: 'failed',
          error: { code: 'server_error', message: 'It broke' },
          usage: counted,
        }),
      ],
    },
    usage: exact,
    more: { errorCode: 'server_error', isRefused: false },
  },
  {
    title: 'an answer that failed without a count has none',
    sent: {
      events: [
        piece('a'),
        closing('failed', { status: 'failed', error: { code: 'x' }, usage: null }),
      ],
    },
    usage: undefined,
  },
  {
    title: 'an answer that was called off has its count',
    sent: { events: [piece('a'), closing('cancelled', { status: 'cancelled', usage: counted })] },
    usage: exact,
    more: { stopReason: 'cancelled' },
  },
  {
    title: 'a stored answer that was called off is read whole',
    sent: { body: { object: 'response', status: 'cancelled', output: [], usage: counted } },
    usage: exact,
    more: { stopReason: 'cancelled', isPending: false },
  },
  {
    title: 'an answer in the background is not done',
    sent: {
      body: { object: 'response', status: 'queued', background: true, output: [], usage: null },
    },
    usage: undefined,
    more: { isPending: true },
  },
  {
    title: 'an answer in the background may count before it is done, and that is not the end',
    sent: { body: { status: 'in_progress', background: true, output: [], usage: counted } },
    usage: undefined,
    more: { isPending: true },
  },
  {
    title: 'a stream of an answer in the background that is left is not done',
    sent: {
      events: [
        closing('created', { status: 'queued', background: true }),
        closing('in_progress', { status: 'in_progress', background: true }),
        piece('a'),
      ],
    },
    usage: undefined,
    more: { isPending: true },
  },
  {
    title: 'a stored answer that is done has its count',
    sent: {
      body: { status: 'completed', background: true, output: [message, call], usage: counted },
    },
    usage: exact,
    more: { isPending: false },
  },
  {
    title: 'a compaction has its count',
    sent: {
      body: { object: 'response.compaction', output: [{ type: 'compaction' }], usage: counted },
    },
    usage: exact,
  },
  {
    title: 'the vendor’s tools are counted once, in the stream and at its end',
    sent: {
      events: [
        done({ type: 'web_search_call', id: 'w1', action: { type: 'search' } }),
        done({ type: 'web_search_call', id: 'w2', action: { type: 'open_page' } }, 1),
        done({ type: 'file_search_call', id: 'f1' }, 2),
        done({ type: 'code_interpreter_call', id: 'c1', container_id: 'k1' }, 3),
        done({ type: 'code_interpreter_call', id: 'c2', container_id: 'k1' }, 4),
        completed({ output: [{}, {}, {}, {}, {}] }),
      ],
    },
    usage: {
      ...exact,
      serverToolCalls: { web_search: 1, web_fetch: 1, file_search: 1, code_execution: 1 },
    },
  },
  {
    title: 'a stream that was taken up in its middle has all tools at its end',
    sent: {
      events: [
        done({ type: 'file_search_call', id: 'f2' }, 1),
        completed({
          output: [
            { type: 'file_search_call', id: 'f1' },
            { type: 'file_search_call', id: 'f2' },
          ],
        }),
      ],
    },
    usage: { ...exact, serverToolCalls: { file_search: 2 } },
  },
  {
    title: 'written tokens and how it was served',
    sent: {
      events: [
        completed({
          service_tier: 'priority',
          usage: { ...counted, input_tokens_details: { cached_tokens: 6, cache_write_tokens: 9 } },
        }),
      ],
    },
    usage: { ...exact, cacheWriteTokens: 9 },
    more: { serviceTier: 'priority' },
  },
  {
    title: 'a closing event of a large answer is read at any cut',
    sent: {
      events: [
        done(message),
        completed({ output: [{ ...message, content: [{ text: 'é👋"\\'.repeat(200) }] }] }),
      ],
    },
    usage: exact,
  },
  {
    title: 'a stream that ends without its closing event has no count',
    sent: { events: [piece('hello'), done(message)] },
    usage: undefined,
  },
  {
    title: 'negative and absurd counts of an answer are none',
    sent: { events: [completed({ usage: { input_tokens: 1e10, output_tokens: -4 } })] },
    usage: undefined,
  },
  {
    title: 'an error in the stream keeps its code',
    sent: { events: [{ type: 'error', code: 'rate_limit_exceeded', message: 'Slow down' }] },
    usage: undefined,
    more: { errorCode: 'rate_limit_exceeded', isRefused: true },
  },
]

testHostile('responses', cases)
