import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Wire } from './api.ts'
import { readersOf } from './scan/keys.ts'
import { type Scan, scan } from './scan.ts'

const read = (text: string, model: string | null = null) =>
  scan(Buffer.from(text), { wire: model ? 'gemini' : 'chat', operation: 'generate', model })
const whole = (text: string, wire: Wire) =>
  scan(Buffer.from(text), { wire, operation: 'generate', model: wire === 'gemini' ? 'm' : null })
const pick = ({ model, stream }: Scan) => ({ model, stream })
const at = (text: string) => pick(read(text))

// Long, and full of what must be skipped with care.
const texts = fc
  .array(fc.constantFrom('"', '\\', 'x', '{', '}', 'é'), { maxLength: 400 })
  .map((parts) => parts.join(''))

describe('scan', () => {
  for (const [title, text, model, stream] of [
    ['the plain case', '{"model":"m","stream":true}', 'm', true],
    ['space everywhere', ' \n{ "stream" : false , "model" : "m" } \r\n', 'm', false],
    [
      'a model after nested ones',
      '{"a":{"model":"x","b":[{"model":"y"}]},"model":"m"}',
      'm',
      false,
    ],
    ['brackets and quotes inside strings', '{"a":"}]\\"{","model":"m"}', 'm', false],
    [
      'a long string with escapes',
      `{"a":"${'x'.repeat(200)}\\\\\\"${'y\\\\'.repeat(90)}","model":"m"}`,
      'm',
      false,
    ],
    ['an escaped key', '{"mod\\u0065l":"m"}', 'm', false],
    ['an escaped value', '{"model":"a\\/b\\u00e9"}', 'a/bé', false],
    ['numbers and words', '{"x":-1.5e9,"t":true,"z":null,"model":"m"}', 'm', false],
  ] as const) {
    test(`reads ${title}`, () => assert.deepEqual(at(text), { model, stream }))
  }

  for (const [title, said, fewest] of [
    ['nothing is thought', '"max_tokens":9', 0],
    ['thinking is off', '"max_tokens":9,"thinking":{"type":"disabled"}', 0],
    ['it may think', '"max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":2048}', 2_049],
    ['it says so first', '"thinking":{"budget_tokens":2048},"max_tokens":9000', 2_049],
    ['it thinks between tools', '"max_tokens":2000,"thinking":{"budget_tokens":2048}', 0],
    ['that is no number', '"max_tokens":9000,"thinking":{"budget_tokens":"2048"}', 0],
    ['that is no object', '"max_tokens":9000,"thinking":true', 0],
  ] as const) {
    test(`knows the least that an answer may be bound to: ${title}`, () => {
      assert.equal(whole(`{"model":"m",${said}}`, 'messages').outputTokensMin, fewest)
    })
  }

  for (const [title, text] of [
    ['no model', '{"contents":[]}'],
    ['the same model', '{"model":"a/b"}'],
    ['the same model as a resource', '{"model":"models\\/a/b"}'],
  ] as const) {
    test(`takes the model of the path beside ${title}`, () => {
      assert.deepEqual(pick(read(text, 'a/b')), { model: 'a/b', stream: false })
    })
  }

  for (const text of ['{"model":"a"}', '{"model":"a/b","model":"a/b"}', '{"Model":"a/b"}', '[]']) {
    test(`refuses ${text} beside the model of the path`, () =>
      assert.throws(() => read(text, 'a/b'), { code: 'body/invalid' }))
  }

  for (const [title, text] of [
    ['a second model', '{"model":"a","model":"b"}'],
    ['a second model, escaped', '{"model":"a","\\u006dodel":"b"}'],
    ['a model in another case', '{"model":"a","Model":"b"}'],
    ['a model in another case alone', '{"MODEL":"a"}'],
    ['no model', '{"messages":[]}'],
    ['a model that is no string', '{"model":["a"]}'],
    ['an empty model', '{"model":""}'],
    ['a very long model', `{"model":"${'m'.repeat(201)}"}`],
    ['an array', '[{"model":"m"}]'],
    ['nothing', ''],
    ['a second object', '{"model":"a"}{"model":"b"}'],
    ['a stream that is no boolean', '{"model":"m","stream":"true"}'],
    ['an open string', '{"model":"a'],
    ['an open object', '{"model":"a","b":{'],
    ['a missing comma', '{"model":"a" "b":1}'],
    ['a byte order mark', '\ufeff{"model":"a"}'],
  ] as const) {
    test(`refuses ${title}`, () => assert.throws(() => at(text), { code: 'body/invalid' }))
  }

  for (const [title, text, wire] of [
    ['two bounds of the output', '{"model":"m","max_tokens":1,"max_tokens":2}', 'messages'],
    ['one bound in two names', '{"model":"m","max_tokens":1,"max_completion_tokens":2}', 'chat'],
    ['a bound that is a text', '{"model":"m","max_tokens":"9"}', 'messages'],
    ['a bound in another notation', '{"model":"m","max_tokens":1e3}', 'messages'],
    ['a bound below nothing', '{"model":"m","max_tokens":-1}', 'chat'],
    ['two streams', '{"model":"m","stream":true,"\\u0073tream":false}', 'chat'],
    ['a stream in another case', '{"model":"m","Stream":true}', 'chat'],
    ['a stream that Go would read', '{"model":"m","ſtream":true}', 'chat'],
    ['two lists of tools', '{"model":"m","tools":[],"tools":[{"name":"x"}]}', 'messages'],
    [
      'a tool of two types',
      '{"model":"m","tools":[{"type":"function","type":"mcp"}]}',
      'responses',
    ],
    ['a tool with a type in capitals', '{"model":"m","tools":[{"Type":"mcp"}]}', 'responses'],
    ['tools in no list', '{"model":"m","tools":{"name":"x"}}', 'chat'],
    [
      'a function of two names',
      '{"model":"m","tools":[{"type":"function","function":{"name":"a","name":"b"}}]}',
      'chat',
    ],
    [
      'usage asked for twice',
      '{"model":"m","stream_options":{"include_usage":true,"include_usage":false}}',
      'chat',
    ],
    [
      'options of a stream twice',
      '{"model":"m","stream_options":{},"stream_options":null}',
      'chat',
    ],
    ['two configs', '{"model":"m","generationConfig":{},"generation_config":{}}', 'gemini'],
    [
      'one bound in two spellings',
      '{"model":"m","generationConfig":{"maxOutputTokens":1,"max_output_tokens":2}}',
      'gemini',
    ],
    ['a bound in capitals', '{"model":"m","generationConfig":{"MAXOUTPUTTOKENS":1}}', 'gemini'],
    ['a wish to store that is a number', '{"model":"m","store":0}', 'responses'],
    [
      'two earlier responses',
      '{"model":"m","previous_response_id":"a","previous_response_id":"b"}',
      'responses',
    ],
  ] as const) {
    test(`refuses ${title} on ${wire}`, () =>
      assert.throws(() => whole(text, wire), { code: 'body/invalid' }))
  }

  for (const [title, text, wire, expected] of [
    ['a bound', '{"model":"m","max_tokens":64}', 'messages', { tokens: 64, key: 'max_tokens' }],
    ['a bound that is null', '{"model":"m","max_tokens":null}', 'chat', null],
    [
      'a null beside a bound',
      '{"model":"m","max_tokens":null,"max_completion_tokens":2}',
      'chat',
      { tokens: 2, key: 'max_completion_tokens' },
    ],
    [
      'a bound',
      '{"model":"m","max_output_tokens":3}',
      'responses',
      { tokens: 3, key: 'max_output_tokens' },
    ],
    [
      'a nested bound',
      '{"generationConfig":{"topK":1,"maxOutputTokens":4}}',
      'gemini',
      { tokens: 4, key: 'maxOutputTokens' },
    ],
    [
      'a bound in snake case',
      '{"generation_config":{"max_output_tokens":4}}',
      'gemini',
      { tokens: 4, key: 'max_output_tokens' },
    ],
    ['no bound', '{"model":"m","x":{"max_tokens":4}}', 'chat', null],
  ] as const) {
    test(`finds ${title} on ${wire}: ${text}`, () => {
      const { outputMax } = whole(text, wire)
      assert.deepEqual(outputMax && { tokens: outputMax.tokens, key: outputMax.key }, expected)
      if (outputMax)
        assert.equal(text.slice(outputMax.span.from, outputMax.span.to), `${outputMax.tokens}`)
    })
  }

  test('finds what else a call says of itself', () => {
    const messages = whole(
      '{"model":"m","metadata":{"user_id":"u"},"service_tier":"auto","speed":"fast","inference_geo":"us"}',
      'messages',
    )
    assert.deepEqual(
      [messages.endUser, messages.serviceTier, messages.speed, messages.inferenceGeo],
      ['u', 'auto', 'fast', 'us'],
    )
    const responses = whole(
      '{"model":"m","previous_response_id":"r","prompt_cache_key":"k","store":false,"background":true,"user":"u","max_tool_calls":2,"tools":[{"type":"web_search"}]}',
      'responses',
    )
    assert.deepEqual(
      [responses.previousResponse, responses.promptCacheKey, responses.store, responses.endUser],
      ['r', 'k', false, 'u'],
    )
    assert.deepEqual([responses.background, responses.isInputBounded], [true, false])
    assert.deepEqual(responses.serverTools, [{ type: 'web_search', usesMax: 2 }])
    assert.equal(whole('{"model":"m","n":3}', 'chat').choices, 3)
    assert.equal(whole('{"generationConfig":{"candidateCount":2}}', 'gemini').choices, 2)
  })

  for (const [text, wire] of [
    ['{"model":"m","previous_response_id":"r"}', 'responses'],
    ['{"model":"m","conversation":{"id":"c"}}', 'responses'],
    ['{"model":"m","prompt":{"id":"p"}}', 'responses'],
    ['{"model":"m","context_management":[{"type":"compaction"}]}', 'responses'],
    ['{"model":"m","context_management":{"edits":[{"type":"compact_20260112"}]}}', 'messages'],
    ['{"model":"m","mcp_servers":[{"url":"https://a"}]}', 'messages'],
    ['{"model":"m","container":"c"}', 'messages'],
    ['{"model":"m","web_search_options":{}}', 'chat'],
    ['{"cachedContent":"c"}', 'gemini'],
    ['{"cached_content":"c"}', 'gemini'],
  ] as const) {
    test(`bounds no input of ${wire} that says ${text}`, () =>
      assert.equal(whole(text, wire).isInputBounded, false))
  }

  // Written down here once more: a key that is read no more would pass twice, and unseen.
  const control: Readonly<Record<Wire, string>> = {
    messages:
      'model stream max_tokens thinking tools mcp_servers container context_management metadata service_tier speed inference_geo',
    chat: 'model stream stream_options max_tokens max_completion_tokens n tools functions web_search_options store service_tier user safety_identifier prompt_cache_key',
    responses:
      'model stream max_output_tokens max_tool_calls tools input previous_response_id conversation prompt store background service_tier user safety_identifier prompt_cache_key context_management',
    gemini:
      'model generationConfig generation_config tools cachedContent cached_content requests generateContentRequest generate_content_request serviceTier service_tier store',
  }
  for (const [wire, keys] of Object.entries(control) as [Wire, string][])
    test(`refuses each key that means something on ${wire} where it stands twice or in capitals`, () => {
      assert.deepEqual([...readersOf[wire].keys()], keys.split(' '))
      for (const key of keys.split(' ')) {
        const model = key === 'model' ? '' : '"model":"m",'
        const value = key === 'model' ? '"m"' : 'null'
        const escaped = `\\u00${key.charCodeAt(0).toString(16)}${key.slice(1)}`
        for (const other of [key, escaped]) {
          const text = `{${model}"${key}":${value},"${other}":${value}}`
          assert.throws(() => whole(text, wire), /more than one/, text)
        }
        const capitals = `{${model}"${key.toUpperCase()}":${value}}`
        assert.throws(() => whole(capitals, wire), { code: 'body/invalid' }, capitals)
      }
    })

  // As the value of a key `type`, as a key, or either.
  const openAi = {
    type: 'file image video',
    key: 'audio',
    any: 'audio_embeds audio_url file_data file_id file_url image_embeds image_file image_pil image_url input_audio input_file input_image input_video prompt_embeds video_url',
  }
  const far: Readonly<Record<Wire, Readonly<Record<'type' | 'key' | 'any', string>>>> = {
    messages: {
      type: 'audio document file image url video',
      key: '',
      any: 'container_upload file_id',
    },
    chat: openAi,
    responses: { ...openAi, any: `${openAi.any} computer_screenshot item_reference` },
    gemini: {
      type: '',
      key: '',
      any: 'fileData file_data fileUri file_uri inlineData inline_data',
    },
  }
  const named = (names: string) => names.split(' ').filter((name) => name !== '')
  for (const [wire, { type, key, any }] of Object.entries(far) as [Wire, (typeof far)[Wire]][])
    test(`bounds no input of ${wire} that has a mark of what is far`, () => {
      const isBounded = (part: object) =>
        whole(JSON.stringify({ model: 'm', messages: [{ content: [part] }] }), wire).isInputBounded
      assert.equal(isBounded({ type: 'text', text: 'image' }), true)
      for (const name of named(`${type} ${any}`))
        assert.equal(isBounded({ type: name }), false, name)
      for (const name of named(`${key} ${any}`)) assert.equal(isBounded({ [name]: 1 }), false, name)
    })

  test('finds tools in the form that chat once had, beside those that it has', () => {
    const functions = '"functions":[{"name":"bash","parameters":{}}]'
    const { tools } = whole(`{"model":"m","tools":[],${functions}}`, 'chat')
    assert.deepEqual(tools, ['bash'])
  })

  test("finds Codex's tools where its newest models have them, in the input", () => {
    const tools = [
      { type: 'namespace', name: 'functions', tools: [{ type: 'custom', name: 'exec' }] },
    ]
    const input = [{ type: 'additional_tools', role: 'developer', tools }]
    const found = whole(JSON.stringify({ model: 'm', input }), 'responses')
    assert.deepEqual(found.tools, ['exec', 'functions'])
    assert.equal(found.isInputBounded, true)
  })

  test('agrees with JSON.parse on any object', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ maxLength: 300 }), fc.oneof(fc.jsonValue(), texts)),
        fc.string({ minLength: 1, maxLength: 50 }),
        fc.boolean(),
        (rest, model, stream) => {
          fc.pre(Object.keys(rest).every((key) => !readersOf.chat.has(key.toLowerCase())))
          const text = JSON.stringify({ ...rest, model, stream }, null, 1)
          assert.deepEqual(at(text), {
            model: (JSON.parse(text) as { model: string }).model,
            stream,
          })
        },
      ),
    )
  })
})
