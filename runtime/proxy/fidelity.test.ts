import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { after, before, beforeEach, describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { startPostgres } from '../testing/postgres.ts'
import { clientKey, type Stage, startStage, vaultedKey } from './testing/stage.ts'

const sha = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

describe('what crosses the proxy', () => {
  const owned = new AsyncDisposableStack()
  let stage: Stage
  before(async () => {
    const postgres = owned.use(await startPostgres())
    stage = owned.use(await startStage({ postgres }))
    await stage.addProvider({ models: ['m-1'] })
    await stage.addProvider({
      name: 'open',
      kind: 'openai',
      models: ['gpt-x'],
      baseUrl: `${stage.upstream.url.href}prefix`,
    })
  })
  after(() => owned.disposeAsync())
  beforeEach(() => {
    stage.upstream.seen.length = 0
  })

  /** A client that sends and receives bytes, and nothing of its own making. */
  async function send(path: string, body: Buffer, headers: Record<string, string> = {}) {
    const request = httpRequest(new URL(path, stage.url), {
      method: 'POST',
      headers: {
        'x-api-key': clientKey,
        'content-type': 'application/json',
        'content-length': body.length,
        ...headers,
      },
    })
    request.end(body)
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    const chunks: Buffer[] = []
    for await (const chunk of response) chunks.push(chunk as Buffer)
    return {
      status: response.statusCode,
      headers: response.headers,
      raw: response.rawHeaders,
      body: Buffer.concat(chunks),
    }
  }

  const odd = Buffer.from(
    '{ "unknown" : {"big":12345678901234567890,"n":1.0e+2}, "model":"m-1",\n\t"messages":[{"role":"user","content":"\\u00e9 é 👋 \\/ "}], "stream" : true }  \n',
  )

  test('request bytes, the query and open-ended headers arrive as they were sent', async () => {
    stage.upstream.state.script = (_request, response) => response.end('{}')
    const extra = {
      'anthropic-beta': 'a,b, c',
      'anthropic-version': '2026-10-21',
      'anthropic-new': 'x',
      'X-Claude-Code-Session-Id': 's',
    }
    await send('/v1/messages?beta=true&x=%2F', odd, extra)
    const [seen] = stage.upstream.seen
    assert.equal(sha(seen!.body), sha(odd))
    assert.equal(seen!.url, '/v1/messages?beta=true&x=%2F')
    for (const [name, value] of Object.entries(extra))
      assert.equal(seen!.headers[name.toLowerCase()], value)
    assert.equal(seen!.headers.host, stage.upstream.url.host)
  })

  test('a base URL with a prefix keeps it', async () => {
    stage.upstream.state.script = (_request, response) => response.end('{}')
    await send('/v1/chat/completions', Buffer.from('{"model":"gpt-x"}'))
    assert.equal(stage.upstream.seen[0]!.url, '/prefix/v1/chat/completions')
    assert.equal(stage.upstream.seen[0]!.headers.authorization, `Bearer ${vaultedKey}`)
  })

  const events = `: comment\r\nevent: ping\r\ndata: {"type": "ping"}\r\n\r\nevent: new\ndata: {"type":"new","n":12345678901234567890}\n\ndata: é👋\n\n\n`
  const answers: [string, number, Record<string, string>, Buffer][] = [
    [
      'a stream with comments, CRLF and unknown events',
      200,
      { 'content-type': 'text/event-stream' },
      Buffer.from(events.repeat(20)),
    ],
    [
      'a gzip stream',
      200,
      { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' },
      gzipSync(events.repeat(20)),
    ],
    [
      'JSON with a large integer',
      200,
      { 'content-type': 'application/json' },
      Buffer.from('{"n":12345678901234567890, "a":1 }'),
    ],
    [
      'a refusal of the vendor',
      400,
      { 'content-type': 'application/json', 'request-id': 'req_1' },
      Buffer.from('{"type":"error","error":{"message":"bad  thing"}}'),
    ],
    [
      'a rate limit',
      429,
      { 'retry-after': '7', 'anthropic-ratelimit-unified-reset': '1' },
      Buffer.from('{}'),
    ],
    ['an overload', 529, { 'x-should-retry': 'true' }, Buffer.from('overloaded')],
    [
      'a redirect, which is not followed',
      307,
      { location: 'http://127.0.0.1:1/' },
      Buffer.from(''),
    ],
  ]
  for (const [title, status, headers, body] of answers) {
    for (const size of [1, 7, 100_000]) {
      test(`${title} comes back unchanged, in pieces of ${size}`, async () => {
        stage.upstream.state.script = (_request, response) => {
          response.writeHead(status, headers)
          for (let at = 0; at < body.length; at += size)
            response.write(body.subarray(at, at + size))
          response.end()
        }
        const got = await send('/v1/messages', odd)
        assert.equal(got.status, status)
        assert.equal(sha(got.body), sha(body))
        for (const [name, value] of Object.entries(headers)) assert.equal(got.headers[name], value)
        assert.equal(stage.upstream.seen.length, 1)
      })
    }
  }

  test('a large body goes through whole both ways', async () => {
    const large = Buffer.from(
      JSON.stringify({ model: 'm-1', messages: [{ content: 'x"\\'.repeat(1_000_000) }] }),
    )
    stage.upstream.state.script = (request, response) => response.end(request.body)
    assert.equal(sha((await send('/v1/messages', large)).body), sha(large))
  })

  const stream = (
    response: import('node:http').ServerResponse,
    list: { type?: string }[],
    names: boolean,
  ) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const event of list) {
      response.write(`${names ? `event: ${event.type}\n` : ''}data: ${JSON.stringify(event)}\n\n`)
    }
    response.end(names ? '' : 'data: [DONE]\n\n')
  }
  const answerOf =
    (json: unknown) => (_request: unknown, response: import('node:http').ServerResponse) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(json))

  test('the Anthropic SDK works through it, streaming and not', async () => {
    const client = new Anthropic({ apiKey: clientKey, baseURL: stage.url.origin, maxRetries: 0 })
    const sent = {
      model: 'm-1',
      max_tokens: 10,
      messages: [{ role: 'user' as const, content: 'hi' }],
    }
    const usage = { input_tokens: 3, output_tokens: 1 }
    const message = {
      id: 'm',
      type: 'message',
      role: 'assistant',
      model: 'm-1',
      content: [{ type: 'text', text: 'hello' }],
      stop_reason: 'end_turn',
      usage,
    }
    stage.upstream.state.script = answerOf(message)
    assert.deepEqual((await client.messages.create(sent)).content, message.content)
    stage.upstream.state.script = (_request, response) =>
      stream(
        response,
        [
          { type: 'message_start', message: { ...message, content: [], stop_reason: null } },
          { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
          { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'hello' } },
          { type: 'content_block_stop', index: 0 },
          { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage },
          { type: 'message_stop' },
        ] as never,
        true,
      )
    const final = await client.messages.stream(sent).finalMessage()
    assert.equal((final.content[0] as { text: string }).text, 'hello')
  })

  test('the OpenAI SDK works through it: chat and responses, streaming and not, and the list of models', async () => {
    const client = new OpenAI({
      apiKey: clientKey,
      baseURL: `${stage.url.origin}/v1`,
      maxRetries: 0,
    })
    const sent = { model: 'gpt-x', messages: [{ role: 'user' as const, content: 'hi' }] }
    stage.upstream.state.script = answerOf({
      choices: [
        { index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' },
      ],
    })
    assert.equal((await client.chat.completions.create(sent)).choices[0]!.message.content, 'hello')
    stage.upstream.state.script = (_request, response) =>
      stream(
        response,
        [
          { choices: [{ index: 0, delta: { content: 'hel' } }] },
          { choices: [{ index: 0, delta: { content: 'lo' } }] },
        ] as never,
        false,
      )
    let words = ''
    for await (const chunk of await client.chat.completions.create({ ...sent, stream: true }))
      words += chunk.choices[0]!.delta.content
    assert.equal(words, 'hello')
    const output = [
      {
        type: 'message',
        role: 'assistant',
        content: [{ type: 'output_text', text: 'hello', annotations: [] }],
      },
    ]
    stage.upstream.state.script = answerOf({
      id: 'r',
      object: 'response',
      status: 'completed',
      output,
    })
    assert.equal(
      (await client.responses.create({ model: 'gpt-x', input: 'hi' })).output_text,
      'hello',
    )
    stage.upstream.state.script = (_request, response) =>
      stream(
        response,
        [{ type: 'response.completed', response: { id: 'r', output } }] as never,
        true,
      )
    const types: string[] = []
    for await (const event of await client.responses.create({
      model: 'gpt-x',
      input: 'hi',
      stream: true,
    }))
      types.push(event.type)
    assert.deepEqual(types, ['response.completed'])
    const models: string[] = []
    for await (const model of await client.models.list()) models.push(model.id)
    assert.deepEqual(models, ['m-1', 'gpt-x'])
  })

  test('usage of all of this is in the ledger, and matches what the vendors reported', async () => {
    stage.upstream.state.script = answerOf({
      choices: [],
      usage: {
        prompt_tokens: 1_000,
        completion_tokens: 10,
        prompt_tokens_details: { cached_tokens: 900 },
      },
    })
    const before = await usageOf('gpt-x')
    await send('/v1/chat/completions', Buffer.from('{"model":"gpt-x"}'))
    const now = await usageOf('gpt-x')
    assert.equal(now.inputTokens - before.inputTokens, 1_000)
    assert.equal(now.cachedTokens - before.cachedTokens, 900)
    assert.equal(now.outputTokens - before.outputTokens, 10)
  })

  async function usageOf(model: string) {
    const rows = (await (
      await stage.admin('GET', '/api/usage?days=1')
    ).json()) as import('./api.ts').UsageRow[]
    return rows.find((row) => row.model === model)!.usage
  }
})
