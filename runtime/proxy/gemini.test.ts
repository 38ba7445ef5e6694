import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, beforeEach, describe, test } from 'node:test'
import { ApiError, GoogleGenAI } from '@google/genai'
import { startPostgres } from '../testing/postgres.ts'
import {
  clientKey,
  type Stage,
  sandboxClaims,
  startLine,
  startStage,
  until,
  vaultedKey,
} from './testing/stage.ts'

const model = 'gemini-2.5-pro'
const usageMetadata = {
  promptTokenCount: 1_000,
  cachedContentTokenCount: 600,
  candidatesTokenCount: 30,
  thoughtsTokenCount: 12,
  toolUsePromptTokenCount: 5,
  totalTokenCount: 1_047,
}
const usage = {
  ...{ inputTokens: 1_005, cachedTokens: 600, cacheWriteTokens: 0, cacheWrite1hTokens: 0 },
  ...{ outputTokens: 42, reasoningTokens: 12, serverToolCalls: {} },
}
const costNanoUsd = 405 * 1_250 + 600 * 125 + 42 * 10_000
const piece = (parts: object[], more: object = {}, candidate: object = {}) => ({
  candidates: [{ content: { parts, role: 'model' }, index: 0, ...candidate }],
  modelVersion: model,
  responseId: 'r-1',
  ...more,
})
const call = { functionCall: { name: 'run_shell_command', args: { command: 'ls' } } }
const soFar = { promptTokenCount: 1_000, cachedContentTokenCount: 600, totalTokenCount: 1_000 }
/** As the vendor streams: thoughts first, usage as the total so far, the reason in the last piece. */
const stream = [
  piece([{ text: 'Hm. ', thought: true }], { usageMetadata: soFar }),
  piece([{ text: 'hel' }], { usageMetadata: { ...soFar, thoughtsTokenCount: 12 } }),
  piece([{ text: 'lo' }], { usageMetadata: { ...soFar, candidatesTokenCount: 9 } }),
  piece([call], { usageMetadata }, { finishReason: 'STOP' }),
]
const body = { contents: [{ role: 'user', parts: [{ text: 'hi' }] }] }

describe('the Gemini wire', () => {
  const owned = new AsyncDisposableStack()
  let stage: Stage
  before(async () => {
    const postgres = owned.use(await startPostgres())
    stage = owned.use(await startStage({ postgres }))
    await stage.addProvider({ name: 'google', kind: 'gemini', models: [model, 'tuned/x'] })
    await stage.addProvider({ name: 'claude', models: ['m-1'] })
  })
  after(() => owned.disposeAsync())
  beforeEach(() => {
    stage.upstream.seen.length = 0
    stage.upstream.state.script = ({ url }, response) => {
      if (url.includes('alt=sse')) {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        return response.end(stream.map((data) => `data: ${JSON.stringify(data)}\r\n\r\n`).join(''))
      }
      response.writeHead(200, { 'content-type': 'application/json; charset=UTF-8' })
      if (url.includes('countTokens')) return response.end('{"totalTokens": 7}')
      if (url.includes('streamGenerateContent'))
        return response.end(
          `[${stream.map((data) => JSON.stringify(data, null, 2)).join('\n,\r\n')}\n]`,
        )
      response.end(
        JSON.stringify(
          piece([{ text: 'hello' }, call], { usageMetadata }, { finishReason: 'STOP' }),
        ),
      )
    }
  })

  const clientOf = (apiVersion: string, url = stage.url, apiKey = clientKey) =>
    new GoogleGenAI({
      apiKey,
      httpOptions: { baseUrl: url.origin, apiVersion, retryOptions: { attempts: 1 } },
    })
  const post = (path: string, sent: object = body, headers: Record<string, string> = {}) =>
    fetch(new URL(path, stage.url), {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-goog-api-key': clientKey, ...headers },
      body: JSON.stringify(sent),
    })
  const pathOf = (verb: string, of = model) => `/v1beta/models/${of}:${verb}`

  /** Runs calls from a sandbox of its own, and gives its record. */
  let count = 0
  async function fromSandbox(run: (url: URL, token: string) => Promise<unknown>, of = model) {
    count += 1
    const claims = sandboxClaims({ sub: `gem-${count}`, loop: `loop-${count}`, model: of })
    await using line = await startLine(stage, claims.sub)
    await run(line.url, await stage.deps.tokenFor(claims))
    await until(async () => (await stage.record(claims.sub)).inFlight === 0)
    return stage.record(claims.sub)
  }

  for (const version of ['v1', 'v1beta']) {
    test(`Google's SDK gets a whole answer through it below /${version}`, async () => {
      const response = await clientOf(version).models.generateContent({ model, contents: 'hi' })
      assert.deepEqual(response.functionCalls, [call.functionCall])
      const [seen] = stage.upstream.seen
      assert.equal(seen!.url, `/${version}/models/${model}:generateContent`)
      assert.equal(seen!.headers['x-goog-api-key'], vaultedKey)
      assert.equal(seen!.headers.authorization, undefined)
    })
  }

  test("Google's SDK streams through it, and all that it used is booked", async () => {
    const record = await fromSandbox(async (url, token) => {
      let text = ''
      const sent = { model, contents: 'hi' }
      for await (const one of await clientOf('v1beta', url, token).models.generateContentStream(
        sent,
      ))
        text += (one.candidates![0]!.content!.parts ?? [])
          .map((part) => (part.thought ? '' : (part.text ?? '')))
          .join('')
      assert.equal(text, 'hello')
    })
    assert.deepEqual(record.usage, usage)
    assert.equal(record.costNanoUsd, costNanoUsd)
    const { state, stopReason, toolCalls, text } = record.last!
    assert.deepEqual([state, stopReason, toolCalls, text], ['settled', 'STOP', 1, 'hello'])
  })

  test('a stream that is a JSON array is read as one that is events', async () => {
    const record = await fromSandbox(async (url, token) => {
      const headers = { authorization: `Bearer ${token}` }
      const path = new URL(pathOf('streamGenerateContent'), url)
      const response = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) })
      assert.deepEqual(await response.json(), stream)
    })
    assert.deepEqual(record.usage, usage)
    assert.deepEqual([record.last!.text, record.last!.toolCalls], ['hello', 1])
  })

  test('of an array that is cut, what came is counted', async () => {
    stage.upstream.state.script = (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.write(
        `[${stream
          .slice(0, 3)
          .map((data) => JSON.stringify(data))
          .join(',')}`,
      )
      setTimeout(() => response.destroy(), 30)
    }
    const record = await fromSandbox(async (url, token) => {
      const headers = { 'x-goog-api-key': token }
      const path = new URL(pathOf('streamGenerateContent'), url)
      const response = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) })
      await assert.rejects(response.text())
    })
    assert.equal(record.last!.state, 'estimated')
    assert.deepEqual([record.usage.inputTokens, record.usage.outputTokens], [1_000, 21])
  })

  test('counting tokens is forwarded, costs nothing, and is nobody’s last word', async () => {
    const record = await fromSandbox(async (url, token) => {
      const { models } = clientOf('v1beta', url, token)
      await models.generateContent({ model, contents: 'hi' })
      assert.equal((await models.countTokens({ model, contents: 'hi' })).totalTokens, 7)
    })
    assert.deepEqual([record.calls, record.usage, record.last!.text], [1, usage, 'hello'])
    assert.equal(stage.upstream.seen.at(-1)!.headers['x-goog-api-key'], vaultedKey)
  })

  test('a count that the upstream does not answer is told in the wire’s shape', async () => {
    stage.upstream.state.script = (_request, response) => response.destroy()
    const response = await post(pathOf('countTokens'))
    assert.equal(response.status, 502)
    assert.equal(((await response.json()) as Failure).error.status, 'UNAVAILABLE')
  })

  test('a blocked prompt is settled with its reason', async () => {
    const blocked = {
      promptFeedback: { blockReason: 'SAFETY' },
      usageMetadata: { promptTokenCount: 9, totalTokenCount: 9 },
    }
    stage.upstream.state.script = (_request, response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(blocked))
    const record = await fromSandbox((url, token) =>
      clientOf('v1beta', url, token).models.generateContent({ model, contents: 'x' }),
    )
    assert.deepEqual([record.usage.inputTokens, record.usage.outputTokens], [9, 0])
    assert.deepEqual([record.last!.state, record.last!.stopReason], ['settled', 'SAFETY'])
  })

  test('the conversation reaches threads with its wire', async () => {
    stage.peers.turns.length = 0
    await (await post(pathOf('generateContent'))).text()
    // Those of calls before it may come first: they are sent in the background.
    const found = () => stage.peers.turns.find(({ answer }) => answer.toolCalls.length > 0)
    await until(() => found() !== undefined)
    const turn = found()
    assert.deepEqual([turn!.wire, turn!.model, turn!.answer.text], ['gemini', model, 'hello'])
    assert.deepEqual(turn!.answer.toolCalls, [
      { id: '', name: 'run_shell_command', input: '{"command":"ls"}' },
    ])
  })

  describe('models', () => {
    test("are listed as Google's SDK reads them, in both versions", async () => {
      for (const [version, expected] of [
        ['v1beta', [`models/${model}`, 'models/tuned/x']],
        ['v1', [`models/${model}`, 'models/tuned/x', 'models/m-1']],
      ] as const) {
        const names: unknown[] = []
        for await (const one of await clientOf(version).models.list()) names.push(one.name)
        assert.deepEqual(names, expected)
      }
    })

    test('are found by name, or not', async () => {
      const { models } = clientOf('v1beta')
      assert.equal((await models.get({ model })).displayName, model)
      assert.equal((await models.get({ model: 'tuned/x' })).name, 'models/tuned/x')
      await assert.rejects(models.get({ model: 'm-1' }), (error) => {
        assert.ok(error instanceof ApiError && error.status === 404)
        assert.match(error.message, /"status":"NOT_FOUND"/)
        return true
      })
    })

    test('are one for a sandbox: its own', async () => {
      await fromSandbox(async (url, token) => {
        const names: unknown[] = []
        for await (const one of await clientOf('v1beta', url, token).models.list())
          names.push(one.name)
        assert.deepEqual(names, [`models/${model}`])
      })
    })
  })

  type Failure = { error: { code: number; status: string; message: string } }

  test('a field mask and another method are dropped, the rest of the headers goes through', async () => {
    const more = {
      'x-goog-fieldmask': 'candidates',
      'x-http-method-override': 'GET',
      'x-goog-api-client': 'google-genai-sdk/3.1.0',
    }
    await post(pathOf('generateContent'), body, more)
    const { headers } = stage.upstream.seen[0]!
    assert.deepEqual(
      Object.keys(more).map((name) => headers[name]),
      [undefined, undefined, 'google-genai-sdk/3.1.0'],
    )
  })

  test('bytes of a Gemini answer come back unchanged, whatever they are', async () => {
    const odd = Buffer.from(
      `[{\n  "x": "é👋 \\" ] }", "n": 12345678901234567890}\r\n,\r\n{"y":1}] `,
    )
    for (const [status, type] of [
      [200, 'application/json'],
      [429, 'application/json'],
      [200, 'text/event-stream'],
    ] as const) {
      stage.upstream.state.script = (_request, response) => {
        response.writeHead(status, { 'content-type': type })
        for (const byte of odd) response.write(Buffer.from([byte]))
        response.end()
      }
      const got = await post(pathOf('streamGenerateContent'))
      assert.equal(got.status, status)
      const sha = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
      assert.equal(sha(Buffer.from(await got.arrayBuffer())), sha(odd))
    }
  })

  test('two different credentials are refused in any pair of headers', async () => {
    for (const more of [{ 'x-api-key': 'trd_other' }, { authorization: 'Bearer trd_other' }]) {
      const response = await post(pathOf('generateContent'), body, more)
      assert.equal(response.status, 400)
      assert.equal(((await response.json()) as Failure).error.status, 'INVALID_ARGUMENT')
    }
  })

  test('a provider of this kind is tried at its own list of models', async () => {
    const tried = await (await stage.admin('POST', '/api/providers/google/test')).json()
    assert.equal((tried as { ok: boolean }).ok, true)
    const { url, headers } = stage.upstream.seen[0]!
    assert.deepEqual([url, headers['x-goog-api-key']], ['/v1beta/models', vaultedKey])
  })

  test('a provider of this kind is at Google unless it is said otherwise', async () => {
    const added = { name: 'plain', kind: 'gemini', key: 'k' }
    const response = await stage.admin('POST', '/api/providers', added)
    const { baseUrl } = (await response.json()) as { baseUrl: string }
    assert.equal(baseUrl, 'https://generativelanguage.googleapis.com')
    await stage.admin('DELETE', '/api/providers/plain')
  })
})
