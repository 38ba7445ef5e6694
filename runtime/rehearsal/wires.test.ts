import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { listen } from '#kernel/http.ts'
import { createLog } from '#kernel/log.ts'
import { Secret } from '#kernel/secret.ts'
import { type LoggedCall, openCallLog } from './call-log.ts'
import { createFaultSwitch } from './planned-fault.ts'
import { rehearsalRoutes } from './routes.ts'

const key = 'sk-rehearsal-test'
const model = 'rehearsal/never-stops'
const parameters = {
  type: 'object' as const,
  properties: { command: { type: 'string' } },
  required: ['command'],
}
const look = 'echo "cwd=$PWD"; ls'
const said = 'I look around first.'

describe('the vendors SDKs against the rehearsal model', () => {
  const owned = new AsyncDisposableStack()
  const folder = mkdtempSync(join(tmpdir(), 'rehearsal-wires-'))
  const logFile = join(folder, 'calls.jsonl')
  let url = ''
  let anthropic: Anthropic
  let openai: OpenAI

  before(async () => {
    const routes = rehearsalRoutes({
      key: new Secret(key),
      faults: createFaultSwitch({}),
      log: owned.use(openCallLog(logFile)),
      now: () => new Date(),
      delayMs: 0,
      logsBodies: false,
    })
    const log = createLog('silent', process.stderr)
    url = owned.use(await listen(routes, 0, log)).url.origin
    anthropic = new Anthropic({ apiKey: key, baseURL: url, maxRetries: 0 })
    openai = new OpenAI({ apiKey: key, baseURL: `${url}/v1`, maxRetries: 0 })
  })
  after(async () => {
    await owned.disposeAsync()
    rmSync(folder, { recursive: true })
  })

  const lastLogged = () =>
    JSON.parse(readFileSync(logFile, 'utf8').trim().split('\n').at(-1)!) as LoggedCall
  const first = { inputTokens: 1_000, cachedTokens: 900, outputTokens: 40 }
  const second = { inputTokens: 1_100, cachedTokens: 900, outputTokens: 40 }

  describe('Messages', () => {
    const tools = [{ name: 'bash', input_schema: parameters }]
    const user = { role: 'user' as const, content: 'Go.' }
    const request = { model, max_tokens: 100, tools, messages: [user] }
    const toUsage = ({ usage }: Anthropic.Message) => ({
      inputTokens: usage.input_tokens + (usage.cache_read_input_tokens ?? 0),
      cachedTokens: usage.cache_read_input_tokens,
      outputTokens: usage.output_tokens,
    })
    const assertTurn = (message: Anthropic.Message) => {
      const [words, call] = message.content
      assert.equal(words?.type === 'text' && words.text, said)
      assert.deepEqual(call?.type === 'tool_use' && [call.name, call.input], [
        'bash',
        { command: look },
      ])
      assert.equal(message.stop_reason, 'tool_use')
      assert.deepEqual(toUsage(message), first)
      assert.deepEqual(lastLogged().usage, first)
      assert.equal(message.id, `msg_${lastLogged().id}`)
    }

    test('a whole message holds words, a tool call and usage', async () => {
      assertTurn(await anthropic.messages.create(request))
    })

    test('a stream adds up to the same message', async () => {
      assertTurn(await anthropic.messages.stream(request).finalMessage())
      assert.equal(lastLogged().stream, true)
    })

    test('a stream has the documented events in their order', async () => {
      const names: string[] = []
      const stream = await anthropic.messages.create({ ...request, stream: true })
      for await (const { type } of stream) if (type !== names.at(-1)) names.push(type)
      const block = ['content_block_start', 'content_block_delta', 'content_block_stop']
      const expected = ['message_start', ...block, ...block, 'message_delta', 'message_stop']
      assert.deepEqual(names, expected)
    })

    test('a tool result brings the next step', async () => {
      const message = await anthropic.messages.create(request)
      const call = message.content.find(({ type }) => type === 'tool_use') as Anthropic.ToolUseBlock
      const result = { type: 'tool_result' as const, tool_use_id: call.id, content: 'cwd=/work\n' }
      const next = await anthropic.messages.create({
        ...request,
        messages: [
          user,
          { role: 'assistant', content: message.content },
          { role: 'user', content: [result] },
        ],
      })
      assert.equal((next.content[0] as Anthropic.TextBlock).text, 'One more look.')
      assert.deepEqual(toUsage(next), second)
      assert.equal(lastLogged().results, 1)
    })

    test('a wrong key is told as the vendor tells it', async () => {
      const stranger = new Anthropic({ apiKey: 'sk-other', baseURL: url, maxRetries: 0 })
      await assert.rejects(
        stranger.messages.create(request),
        (error: InstanceType<typeof Anthropic.APIError>) => {
          assert.ok(error instanceof Anthropic.AuthenticationError)
          assert.match(JSON.stringify(error.error), /"type":"authentication_error"/)
          return true
        },
      )
      assert.equal(lastLogged().status, 401)
      assert.equal(lastLogged().usage, null)
    })

    test('a bearer is a key as well', async () => {
      const bearer = new Anthropic({ apiKey: null, authToken: key, baseURL: url, maxRetries: 0 })
      assertTurn(await bearer.messages.create(request))
    })

    test('tokens are counted and models listed, under any prefix', async () => {
      const prefixed = new Anthropic({ apiKey: key, baseURL: `${url}/some/prefix`, maxRetries: 0 })
      assert.equal((await prefixed.messages.countTokens(request)).input_tokens, 1_000)
      const ids = (await prefixed.models.list()).data.map(({ id }) => id)
      assert.ok(ids.includes('rehearsal/fix-adder'))
    })
  })

  describe('Chat Completions', () => {
    const tools = [{ type: 'function' as const, function: { name: 'bash', parameters } }]
    const user = { role: 'user' as const, content: 'Go.' }
    const request = { model, tools, messages: [user] }
    const toUsage = (usage: OpenAI.CompletionUsage | null | undefined) => ({
      inputTokens: usage?.prompt_tokens,
      cachedTokens: usage?.prompt_tokens_details?.cached_tokens,
      outputTokens: usage?.completion_tokens,
    })
    const assertTurn = ({ choices, usage }: OpenAI.ChatCompletion) => {
      const [choice] = choices
      assert.equal(choice?.message.content, said)
      const [call] = choice.message.tool_calls ?? []
      assert.ok(call?.type === 'function')
      assert.deepEqual(JSON.parse(call.function.arguments), { command: look })
      assert.equal(choice.finish_reason, 'tool_calls')
      assert.deepEqual(toUsage(usage), first)
      assert.deepEqual(lastLogged().usage, first)
    }

    test('a whole completion holds words, a tool call and usage', async () => {
      assertTurn(await openai.chat.completions.create(request))
    })

    test('a stream adds up to the same completion', async () => {
      const stream = openai.chat.completions.stream({
        ...request,
        stream_options: { include_usage: true },
      })
      assertTurn(await stream.finalChatCompletion())
      assert.equal(lastLogged().usageSent, true)
    })

    test('a stream tells its usage only when asked', async () => {
      const stream = await openai.chat.completions.create({ ...request, stream: true })
      for await (const chunk of stream) assert.equal('usage' in chunk, false)
      assert.equal(lastLogged().usageSent, false)
      assert.deepEqual(lastLogged().usage, first)
    })

    test('tool messages bring the next step, and a repeated one counts once', async () => {
      const { choices } = await openai.chat.completions.create(request)
      const assistant = choices[0]!.message
      const result = {
        role: 'tool' as const,
        tool_call_id: assistant.tool_calls![0]!.id,
        content: 'cwd=/work\n',
      }
      const messages = [user, assistant, result, result]
      const next = await openai.chat.completions.create({ ...request, messages })
      assert.equal(next.choices[0]?.message.content, 'One more look.')
      assert.deepEqual(toUsage(next.usage), second)
    })

    test('without tools a question gets words, or JSON of the schema asked for', async () => {
      const plain = await openai.chat.completions.create({ model, messages: [user] })
      assert.equal(plain.choices[0]?.message.content, 'Rehearsal')
      const schema = {
        type: 'object',
        properties: { title: { type: 'string' }, isNew: { type: 'boolean' } },
        required: ['title', 'isNew'],
      }
      const format = { type: 'json_schema' as const, json_schema: { name: 'x', schema } }
      const json = await openai.chat.completions.create({
        model,
        messages: [user],
        response_format: format,
      })
      const content = json.choices[0]?.message.content ?? ''
      assert.deepEqual(JSON.parse(content), { title: 'rehearsal', isNew: false })
    })
  })

  describe('Responses', () => {
    const tools = [{ type: 'function' as const, name: 'bash', parameters, strict: false }]
    const request = { model, tools, input: 'Go.' }
    const toUsage = ({ usage }: OpenAI.Responses.Response) => ({
      inputTokens: usage?.input_tokens,
      cachedTokens: usage?.input_tokens_details.cached_tokens,
      outputTokens: usage?.output_tokens,
    })
    const callOf = ({ output }: OpenAI.Responses.Response) =>
      output.find((item) => item.type === 'function_call')!
    const assertTurn = (response: OpenAI.Responses.Response) => {
      assert.equal(response.output_text, said)
      assert.deepEqual(JSON.parse(callOf(response).arguments), { command: look })
      assert.deepEqual(toUsage(response), first)
      assert.deepEqual(lastLogged().usage, first)
    }

    test('a whole response holds words, a tool call and usage', async () => {
      assertTurn(await openai.responses.create(request))
    })

    test('a stream adds up to the same response', async () => {
      const stream = openai.responses.stream(request)
      const response = await stream.finalResponse()
      assertTurn({ ...response, output_text: response.output_text })
    })

    test('a stream has the documented events in their order, numbered', async () => {
      const names: string[] = []
      let count = 0
      for await (const event of await openai.responses.create({ ...request, stream: true })) {
        assert.equal(event.sequence_number, count++)
        if (event.type !== names.at(-1)) names.push(event.type)
      }
      assert.deepEqual(names, [
        'response.created',
        'response.in_progress',
        'response.output_item.added',
        'response.content_part.added',
        'response.output_text.delta',
        'response.output_text.done',
        'response.content_part.done',
        'response.output_item.done',
        'response.output_item.added',
        'response.function_call_arguments.delta',
        'response.function_call_arguments.done',
        'response.output_item.done',
        'response.completed',
      ])
    })

    test('an output item brings the next step', async () => {
      const call = callOf(await openai.responses.create(request))
      const next = await openai.responses.create({
        ...request,
        input: [
          { role: 'user', content: 'Go.' },
          call,
          { type: 'function_call_output', call_id: call.call_id, output: 'cwd=/work\n' },
        ],
      })
      assert.equal(next.output_text, 'One more look.')
      assert.deepEqual(toUsage(next), second)
    })
  })

  describe('what a vendor would refuse', () => {
    const user = { role: 'user', content: 'Go.' }
    const headers = { 'x-api-key': key, 'anthropic-version': '2023-06-01' }
    const cases: [string, string, object, RegExp][] = [
      [
        'an unknown model',
        'messages',
        { model: 'gpt', max_tokens: 1, messages: [user] },
        /404.*not_found_error/,
      ],
      ['no length', 'messages', { model, messages: [user] }, /400.*max_tokens/],
      ['no message', 'chat/completions', { model, messages: [] }, /400.*messages/],
      [
        'an earlier response by id',
        'responses',
        { model, input: 'x', previous_response_id: 'resp_1' },
        /400.*previous_response_id/,
      ],
      [
        'a result without its call',
        'chat/completions',
        { model, messages: [user, { role: 'tool', tool_call_id: 'call_9', content: '' }] },
        /400.*call_9/,
      ],
      [
        'a call without its result',
        'responses',
        {
          model,
          input: [{ type: 'function_call', call_id: 'call_8', name: 'x', arguments: '{}' }],
        },
        /400.*call_8.*no result/,
      ],
    ]
    const post = async (path: string, body: string, more: object = headers) => {
      const init = {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...more },
        body,
      }
      const response = await fetch(`${url}/v1/${path}`, init)
      return `${response.status} ${await response.text()}`
    }
    for (const [title, path, body, expected] of cases) {
      test(`a request with ${title} is refused`, async () => {
        assert.match(await post(path, JSON.stringify(body)), expected)
      })
    }
    test('a Messages request without its version is refused', async () => {
      const body = JSON.stringify({ model, max_tokens: 1, messages: [user] })
      assert.match(await post('messages', body, { 'x-api-key': key }), /400.*anthropic-version/)
    })
    test('a body that is no JSON is refused', async () => {
      assert.match(await post('messages', '{'), /^400 .*no JSON/)
    })
  })
})
