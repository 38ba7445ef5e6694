import { delta, type Hostile, sse, start, testHostile, text, usage } from './testing.ts'

const plain = { input_tokens: 10, output_tokens: 1 }
const stop = { type: 'message_stop' }
const whole = (more: object) => ({ body: { type: 'message', content: [], ...more } })

const cases: Hostile[] = [
  {
    title: 'counts of the end replace those of the start',
    sent: { events: [start(plain), text('a'), delta({ output_tokens: 7 }), stop] },
    usage: usage(10, 0, 0, 7),
  },
  {
    title: 'counts that come again and again are totals, not parts',
    sent: {
      events: [
        start(plain),
        delta({ output_tokens: 3 }),
        delta({ output_tokens: 5 }),
        delta({ output_tokens: 9, input_tokens: 12 }),
      ],
    },
    usage: usage(12, 0, 0, 9),
  },
  {
    title: 'the end restates the prompt and its cache after the vendor searched',
    sent: {
      events: [
        start({ ...plain, cache_read_input_tokens: 5, cache_creation_input_tokens: 7 }),
        delta({
          input_tokens: 100,
          cache_read_input_tokens: 50,
          cache_creation_input_tokens: 70,
          output_tokens: 9,
          server_tool_use: { web_search_requests: 2, web_fetch_requests: 0 },
        }),
      ],
    },
    usage: usage(220, 50, 70, 9, { serverToolCalls: { web_search: 2 } }),
  },
  {
    title: 'a field that the end leaves out stays as the start had it',
    sent: {
      events: [
        start({ ...plain, cache_read_input_tokens: 5, cache_creation_input_tokens: 7 }),
        delta({ cache_read_input_tokens: 6, output_tokens: 2 }),
      ],
    },
    usage: usage(23, 6, 7, 2),
  },
  {
    title: 'null says nothing',
    sent: {
      events: [
        start({ ...plain, cache_read_input_tokens: null, cache_creation: null }),
        delta({ input_tokens: null, server_tool_use: null, iterations: null, output_tokens: 2 }),
      ],
    },
    usage: usage(10, 0, 0, 2),
  },
  {
    title: 'an end without usage is no count, though the start had one',
    sent: { events: [start(plain), text('a'), delta(null as never), stop] },
    usage: undefined,
  },
  {
    title: 'writes of five minutes and of an hour are told apart',
    sent: {
      events: [
        start({
          ...plain,
          cache_creation_input_tokens: 30,
          cache_creation: { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 20 },
        }),
        delta({ output_tokens: 1 }),
      ],
    },
    usage: usage(40, 0, 30, 1, { cacheWrite1hTokens: 20 }),
  },
  {
    title:
      'the total of writes wins over a split that is not the last word, and is told apart as that is',
    sent: {
      events: [
        start({
          ...plain,
          cache_creation_input_tokens: 30,
          cache_creation: { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 20 },
        }),
        delta({ cache_creation_input_tokens: 90, output_tokens: 1 }),
      ],
    },
    usage: usage(100, 0, 90, 1, { cacheWrite1hTokens: 60 }),
  },
  {
    title: 'a split alone is the total',
    sent: whole({
      usage: { ...plain, cache_creation: { ephemeral_1h_input_tokens: 4 } },
    }),
    usage: usage(14, 0, 4, 1, { cacheWrite1hTokens: 4 }),
  },
  {
    title: 'a split over its total is cut to it',
    sent: whole({
      usage: {
        ...plain,
        cache_creation_input_tokens: 3,
        cache_creation: { ephemeral_1h_input_tokens: 9 },
      },
    }),
    usage: usage(13, 0, 3, 1, { cacheWrite1hTokens: 3 }),
  },
  {
    title: 'negative, absurd, and written counts are none',
    sent: {
      events: [
        start({ input_tokens: 10, cache_read_input_tokens: -5, output_tokens: 1 }),
        delta({ input_tokens: 1e15, cache_read_input_tokens: '7', output_tokens: 4 }),
      ],
    },
    usage: usage(10, 0, 0, 4),
  },
  {
    title: 'a count that is no count at the end leaves none',
    sent: { events: [start(plain), delta({ output_tokens: -1 })] },
    usage: undefined,
  },
  {
    title: 'a part of a token is one',
    sent: {
      events: [start({ input_tokens: 10.2, output_tokens: 0 }), delta({ output_tokens: 2.5 })],
    },
    usage: usage(11, 0, 0, 3),
  },
  {
    title: 'thoughts are a part of the output',
    sent: {
      events: [
        start(plain),
        delta({ output_tokens: 50, output_tokens_details: { thinking_tokens: 40 } }),
      ],
    },
    usage: usage(10, 0, 0, 50, { reasoningTokens: 40 }),
  },
  {
    title: 'more thoughts than output are cut to it',
    sent: whole({ usage: { ...plain, output_tokens_details: { thinking_tokens: 40 } } }),
    usage: usage(10, 0, 0, 1, { reasoningTokens: 1 }),
  },
  {
    title: 'a compaction inside the call comes on top, and once, however often it is told',
    sent: {
      events: [
        start(plain),
        ...[1, 2].map(() =>
          delta({
            ...{ input_tokens: 23_000, output_tokens: 1_000 },
            iterations: [
              {
                ...{ type: 'compaction', input_tokens: 180_000, output_tokens: 3_500 },
                ...{ cache_read_input_tokens: 7, cache_creation_input_tokens: 5 },
                cache_creation: { ephemeral_1h_input_tokens: 5 },
              },
              { type: 'message', input_tokens: 23_000, output_tokens: 1_000 },
            ],
          }),
        ),
      ],
    },
    usage: usage(203_012, 7, 5, 4_500, { cacheWrite1hTokens: 5 }),
  },
  {
    title: 'an advisor is another model: counted, and a tool without a price',
    sent: whole({
      usage: {
        ...plain,
        iterations: [{ type: 'advisor_message', model: 'x', input_tokens: 5, output_tokens: 6 }],
      },
    }),
    usage: usage(15, 0, 0, 7, { serverToolCalls: { advisor: 1 } }),
  },
  {
    title: 'code that the vendor ran is counted by its blocks, a search by what usage says',
    sent: {
      events: [
        start(plain),
        ...['bash_code_execution', 'web_search', 'web_search'].map((name, index) => ({
          type: 'content_block_start',
          index,
          content_block: { type: 'server_tool_use', id: `s${index}`, name, input: {} },
        })),
        delta({ output_tokens: 2, server_tool_use: { web_search_requests: 1 } }),
      ],
    },
    usage: usage(10, 0, 0, 2, { serverToolCalls: { code_execution: 1, web_search: 1 } }),
  },
  {
    title: 'uses of its tools that are counted and did not show are uses',
    sent: {
      events: [
        start(plain),
        delta({
          output_tokens: 2,
          server_tool_use: { web_fetch_requests: 2, code_execution_requests: 3 },
        }),
      ],
    },
    usage: usage(10, 0, 0, 2, { serverToolCalls: { web_fetch: 2, code_execution: 3 } }),
  },
  {
    title: 'how it was served is kept, with the place',
    sent: whole({
      usage: { ...plain, service_tier: 'priority', speed: 'fast', inference_geo: 'us' },
    }),
    usage: usage(10, 0, 0, 1),
    more: { serviceTier: 'priority+fast+geo-us' },
  },
  {
    title: 'the plain way of serving is nothing to tell',
    sent: whole({
      usage: { ...plain, service_tier: 'standard', speed: 'standard', inference_geo: 'global' },
    }),
    usage: usage(10, 0, 0, 1),
    more: { serviceTier: null },
  },
  {
    title: 'zeros at the start and the other vendor’s names at the end',
    sent: {
      events: [
        start({ input_tokens: 0, output_tokens: 0 }),
        text('hé'),
        delta({
          prompt_tokens: 100,
          completion_tokens: 7,
          prompt_tokens_details: { cached_tokens: 60 },
        }),
      ],
    },
    usage: usage(100, 60, 0, 7),
  },
  {
    title: 'zeros from the start to the end are no count of words that came',
    sent: {
      events: [
        start({ input_tokens: 0, output_tokens: 0 }),
        text('hello'),
        delta({ input_tokens: 0, output_tokens: 0 }),
      ],
    },
    usage: undefined,
  },
  {
    title: 'pings, comments, unknown events and text that is no JSON lie between',
    sent: {
      stream: `: hello\n\n${sse([start(plain), { type: 'ping' }, 'no { json', { type: 'new', usage: { output_tokens: 99 } }])}id: 7\nretry: 10\n:\n\ndata:${JSON.stringify(delta({ output_tokens: 3 }))}\n\n`,
    },
    usage: usage(10, 0, 0, 3),
  },
  {
    title: 'an event of several data lines is one',
    sent: {
      stream: `${sse([start(plain)])}event: message_delta\ndata: {"type":"message_delta","delta":{},\ndata: "usage":{"output_tokens":4}}\n\n`,
    },
    usage: usage(10, 0, 0, 4),
  },
  {
    title: 'spaces in the JSON change nothing',
    sent: {
      stream: [start(plain), text('a "quoted" \\ é👋'), delta({ output_tokens: 6 })]
        .map((event) => `data: ${JSON.stringify(event, null, 1).replaceAll('\n', '')}\n\n`)
        .join(''),
    },
    usage: usage(10, 0, 0, 6),
  },
  {
    title: 'a refusal in the place of the answer has its code, and costs nothing',
    sent: { body: { code: 1113, msg: 'Insufficient balance', success: false } },
    usage: undefined,
    more: { errorCode: '1113', isRefused: true },
  },
  {
    title: 'an error that comes as JSON where a stream was asked for is read',
    sent: { stream: '{"error":{"code":"1302","message":"Too many at once"}}' },
    usage: undefined,
    more: { errorCode: '1302', isRefused: true },
  },
  {
    title: 'an error after words is no refusal',
    sent: {
      events: [
        start(plain),
        text('hello'),
        { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } },
      ],
    },
    usage: undefined,
    more: { errorCode: 'overloaded_error', isRefused: false },
  },
  {
    title: 'a body with a mark of the byte order is read',
    sent: {
      json: `\ufeff${JSON.stringify({ content: [], usage: { input_tokens: 3, output_tokens: 4 } })}`,
    },
    usage: usage(3, 0, 0, 4),
  },
  {
    title: 'usage that is a list, a text or a number is none',
    sent: { events: [start([5] as never), text('x'), delta('7' as never), delta(7 as never)] },
    usage: undefined,
  },
]

testHostile('messages', cases)
