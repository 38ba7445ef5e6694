import { chunk, type Hostile, sse, testHostile, usage } from './testing.ts'

const say = (content: string, more: object = {}) => chunk({}, { delta: { content }, ...more })
const stop = { finish_reason: 'stop' }
const end = (usage: object, more: object = {}) => ({ choices: [], usage, ...more })
const counted = { prompt_tokens: 20, completion_tokens: 5, total_tokens: 25 }

const cases: Hostile[] = [
  {
    title: 'usage stands in a chunk of its own at the end',
    sent: { events: [say('a'), say('', stop), end(counted), '[DONE]'] },
    usage: usage(20, 0, 0, 5),
  },
  {
    title: 'usage with every chunk is a total so far',
    sent: {
      events: [
        { ...say('a'), usage: { prompt_tokens: 20, completion_tokens: 1 } },
        { ...say('b'), usage: { prompt_tokens: 20, completion_tokens: 2 } },
        { ...say('', stop), usage: { prompt_tokens: 20, completion_tokens: 3 } },
        '[DONE]',
      ],
    },
    usage: usage(20, 0, 0, 3),
  },
  {
    title: 'usage with every chunk is not exact when the stream is cut',
    sent: {
      events: [
        { ...say('a'), usage: { prompt_tokens: 20, completion_tokens: 1 } },
        { ...say('b'), usage: { prompt_tokens: 20, completion_tokens: 2 } },
      ],
    },
    usage: undefined,
  },
  {
    title: 'words after a count make it stale',
    sent: { events: [end({ prompt_tokens: 20, completion_tokens: 0 }), say('hello'), say('more')] },
    usage: undefined,
  },
  {
    title: 'usage before the mark of the end closes the count',
    sent: { events: [{ ...say('a'), usage: counted }, '[DONE]'] },
    usage: usage(20, 0, 0, 5),
  },
  {
    title: 'usage comes twice and counts once',
    sent: { events: [say('a', stop), end(counted), end(counted), '[DONE]'] },
    usage: usage(20, 0, 0, 5),
  },
  {
    title: 'no usage is no count',
    sent: { events: [say('a'), say('', stop), '[DONE]'] },
    usage: undefined,
  },
  {
    title: 'usage of null is no count',
    sent: { events: [{ ...say('a'), usage: null }, end(null as never), '[DONE]'] },
    usage: undefined,
  },
  {
    title: 'a first chunk without choices, as Azure sends it, is no end',
    sent: {
      events: [
        { choices: [], prompt_filter_results: [{ prompt_index: 0 }] },
        say('a', stop),
        end(counted),
      ],
    },
    usage: usage(20, 0, 0, 5),
  },
  {
    title: 'cached, written and thought tokens are parts',
    sent: {
      body: {
        choices: [{ message: { content: 'a' }, finish_reason: 'stop' }],
        usage: {
          ...{ prompt_tokens: 100, completion_tokens: 50, total_tokens: 150 },
          prompt_tokens_details: { cached_tokens: 60, cache_write_tokens: 10 },
          completion_tokens_details: { reasoning_tokens: 30 },
        },
      },
    },
    usage: usage(100, 60, 10, 50, { reasoningTokens: 30 }),
  },
  {
    title: 'more cached tokens than the prompt has are cut to it',
    sent: { events: [say('a'), end({ ...counted, prompt_tokens_details: { cached_tokens: 99 } })] },
    usage: usage(20, 20, 0, 5),
  },
  {
    title: 'the cache is named at the top',
    sent: { events: [say('a'), end({ ...counted, prompt_cache_hit_tokens: 8 })] },
    usage: usage(20, 8, 0, 5),
  },
  {
    title: 'the cache is named at the top in another way',
    sent: { events: [say('a'), end({ ...counted, cached_tokens: 9 })] },
    usage: usage(20, 9, 0, 5),
  },
  {
    title: 'thoughts that the output leaves out are in the total',
    sent: {
      events: [
        say('a'),
        end({
          ...{ prompt_tokens: 20, completion_tokens: 5, total_tokens: 65 },
          completion_tokens_details: { reasoning_tokens: 40 },
        }),
      ],
    },
    usage: usage(20, 0, 0, 45, { reasoningTokens: 40 }),
  },
  {
    title: 'a total that fits nothing is not believed',
    sent: {
      events: [
        say('a'),
        end({
          ...{ prompt_tokens: 20, completion_tokens: 5, total_tokens: 1_000 },
          completion_tokens_details: { reasoning_tokens: 4 },
        }),
      ],
    },
    usage: usage(20, 0, 0, 5, { reasoningTokens: 4 }),
  },
  {
    title: 'usage inside the first choice',
    sent: { events: [say('a'), chunk({}, { ...stop, usage: counted }), '[DONE]'] },
    usage: usage(20, 0, 0, 5),
  },
  {
    title: 'usage in a part of its own',
    sent: { events: [say('a'), { ...say('', stop), x_groq: { id: 'r', usage: counted } }] },
    usage: usage(20, 0, 0, 5),
  },
  {
    title: 'of two choices both must have stopped',
    sent: {
      events: [
        { ...say('a'), usage: counted },
        { choices: [{ index: 1, delta: { content: 'b' } }], usage: counted },
        { ...say('', stop), usage: counted },
      ],
    },
    usage: undefined,
  },
  {
    title: 'of two choices usage at the end is for both',
    sent: {
      events: [
        say('a'),
        { choices: [{ index: 1, delta: { content: 'b' }, ...stop }] },
        say('', stop),
        end({ prompt_tokens: 20, completion_tokens: 9 }),
      ],
    },
    usage: usage(20, 0, 0, 9),
  },
  {
    title: 'negative, absurd and broken counts are none',
    sent: { events: [say('a'), end({ prompt_tokens: -1, completion_tokens: 1e300 }), '[DONE]'] },
    usage: undefined,
  },
  {
    title: 'a part of a token is one here as well',
    sent: { events: [say('a'), end({ prompt_tokens: 19.1, completion_tokens: 4.01 })] },
    usage: usage(20, 0, 0, 5),
  },
  {
    title: 'tool calls alone have their usage',
    sent: {
      events: [
        chunk({}, { delta: { tool_calls: [{ index: 0, id: 't', function: { name: 'ls' } }] } }),
        chunk({}, { delta: { tool_calls: [{ index: 0, function: { arguments: '{}' } }] } }),
        chunk({}, { delta: {}, finish_reason: 'tool_calls' }),
        end(counted),
      ],
    },
    usage: usage(20, 0, 0, 5),
  },
  {
    title: 'how it was served stands in the chunks',
    sent: {
      events: [{ ...say('a'), service_tier: 'flex' }, end(counted, { service_tier: 'flex' })],
    },
    usage: usage(20, 0, 0, 5),
    more: { serviceTier: 'flex' },
  },
  {
    title: 'a search of the vendor beside the choices is counted',
    sent: {
      events: [say('a', stop), end(counted, { web_search: [{ link: 'x' }, { link: 'y' }] })],
    },
    usage: usage(20, 0, 0, 5, { serverToolCalls: { web_search: 1 } }),
  },
  {
    title: 'searches in the usage are counted',
    sent: { events: [say('a'), end({ ...counted, server_tool_use: { web_search_requests: 3 } })] },
    usage: usage(20, 0, 0, 5, { serverToolCalls: { web_search: 3 } }),
  },
  {
    title: 'keep-alive comments and names of events lie between',
    sent: {
      stream: `: OPENROUTER PROCESSING\n\n${sse([say('a')])}: x\n\n${sse([end(counted)])}data:[DONE]\n\n`,
    },
    usage: usage(20, 0, 0, 5),
  },
  {
    title: 'a stream that says it is JSON is a stream',
    sent: { json: sse([say('a'), end(counted), '[DONE]']) },
    usage: usage(20, 0, 0, 5),
  },
  {
    title: 'embeddings have a prompt and nothing else',
    sent: {
      body: {
        object: 'list',
        data: [{ object: 'embedding', embedding: 'AAAA' }],
        usage: { prompt_tokens: 8, total_tokens: 8 },
      },
    },
    usage: usage(8, 0, 0, 0),
  },
  {
    title: 'a refusal with status 200 has its code',
    sent: { body: { error: { code: '1301', message: 'Sensitive' } } },
    usage: undefined,
    more: { errorCode: '1301', isRefused: true },
  },
  {
    title: 'an error after words is kept and is no refusal',
    sent: { events: [say('hello'), { error: { code: 'server_error', message: 'It broke' } }] },
    usage: undefined,
    more: { errorCode: 'server_error', isRefused: false },
  },
]

testHostile('chat', cases)
