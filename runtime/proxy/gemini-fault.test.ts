import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { after, before, beforeEach, describe, test } from 'node:test'
import { startPostgres } from '../testing/postgres.ts'
import {
  clientKey,
  type Stage,
  sandboxClaims,
  startLine,
  startStage,
  until,
} from './testing/stage.ts'

const model = 'gemini-2.5-pro'
const body = JSON.stringify({ contents: [{ parts: [{ text: 'x'.repeat(400) }] }] })
const piece = `data: ${JSON.stringify({
  candidates: [{ content: { parts: [{ text: 'w'.repeat(40) }] } }],
  usageMetadata: { promptTokenCount: 50, cachedContentTokenCount: 7 },
})}\r\n\r\n`
type Failure = { error: { code: number; status: string; message: string; details: object[] } }

describe('on the Gemini wire a fault', () => {
  const owned = new AsyncDisposableStack()
  let stage: Stage
  before(async () => {
    const postgres = owned.use(await startPostgres())
    const config = {
      ...{ firstByteMs: '1s', idleMs: '1s', connectMs: '500ms', bodyBytesMax: '64KiB' },
      breaker: { callsMax: 3, keyCallsMax: 20_000, windowMs: '10s', retryAfterS: 5 },
    }
    stage = owned.use(await startStage({ postgres, config }))
    await stage.addProvider({ name: 'google', kind: 'gemini', models: [model] })
    const closed = { baseUrl: 'http://127.0.0.1:1', models: ['closed'] }
    await stage.addProvider({ name: 'closed', kind: 'gemini', ...closed })
  })
  after(() => owned.disposeAsync())
  beforeEach(() => {
    stage.upstream.seen.length = 0
    stage.upstream.state.aborted = []
    stage.upstream.state.script = (_request, response) => response.end('{}')
  })

  const pathOf = (verb: string, of = model) => `/v1beta/models/${of}:${verb}`
  const post = (
    url: URL,
    headers: Record<string, string>,
    sent: string | Buffer = body,
    path = pathOf('streamGenerateContent?alt=sse'),
  ) => fetch(new URL(path, url), { method: 'POST', headers, body: sent as string })
  const asKey = { 'x-goog-api-key': clientKey }
  const streamThen = (then: (response: ServerResponse) => void) => {
    stage.upstream.state.script = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(piece)
      then(response)
    }
  }
  const tokenOf = (sub: string) => stage.deps.tokenFor(sandboxClaims({ sub, model }))
  const assertFailure = async (response: Response, code: number, status: string) => {
    const { error } = (await response.json()) as Failure
    assert.deepEqual([response.status, error.code, error.status], [code, code, status])
    return error
  }

  test('of an upstream that dies in mid-stream is a reset, and estimated', async () => {
    streamThen((response) => setTimeout(() => response.destroy(), 20))
    const response = await post(stage.url, asKey)
    await assert.rejects(response.text())
    await using line = await startLine(stage, 'cut')
    const cut = await post(line.url, { 'x-goog-api-key': await tokenOf('cut') })
    await assert.rejects(cut.text())
    const { last, usage } = await stage.record('cut')
    assert.deepEqual(
      [last!.state, usage.inputTokens, usage.cachedTokens, usage.outputTokens],
      ['estimated', 50, 7, 10],
    )
  })

  test('of a client that leaves aborts the upstream, and is estimated', async () => {
    streamThen(() => {})
    await using line = await startLine(stage, 'left')
    const request = httpRequest(new URL(pathOf('streamGenerateContent?alt=sse'), line.url), {
      method: 'POST',
      headers: { authorization: `Bearer ${await tokenOf('left')}` },
    })
    request.on('error', () => {}) // It is destroyed below.
    request.end(body)
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    await once(response, 'data')
    request.destroy()
    await until(() => stage.upstream.state.aborted.length === 1)
    await until(async () => (await stage.record('left')).inFlight === 0)
    assert.equal((await stage.record('left')).last!.error, 'the client left')
  })

  for (const verb of ['generateContent', 'streamGenerateContent?alt=sse', 'countTokens']) {
    test(`of an upstream has Google's shape for ${verb}`, async () => {
      const ask = (of?: string) => post(stage.url, asKey, body, pathOf(verb, of))
      await assertFailure(await ask('closed'), 502, 'UNAVAILABLE')
      stage.upstream.state.script = (_request, response) => response.destroy()
      await assertFailure(await ask(), 502, 'UNAVAILABLE')
      stage.upstream.state.script = () => {}
      await assertFailure(await ask(), 504, 'DEADLINE_EXCEEDED')
    })
  }

  for (const [title, headers, sent, code, status] of [
    ['no credential', {}, body, 401, 'UNAUTHENTICATED'],
    ['an unknown key', { 'x-goog-api-key': 'trd_x' }, body, 401, 'UNAUTHENTICATED'],
    ['a body packed as nobody knows', { ...asKey, 'content-encoding': 'lz' }, body, 415, null],
    ['a body that is too large', asKey, 'x'.repeat(70_000), 413, null],
    ['a body that is no JSON', asKey, 'x', 400, null],
    ['no body', asKey, '', 400, null],
  ] as const) {
    test(`of a client, ${title}, is ${code} in Google's shape`, async () => {
      await assertFailure(await post(stage.url, headers, sent), code, status ?? 'INVALID_ARGUMENT')
      assert.equal(stage.upstream.seen.length, 0)
    })
  }

  test('that is a tight loop is told when to come back, as Google tells it', async () => {
    await using line = await startLine(stage, 'tight')
    const headers = { 'x-goog-api-key': await tokenOf('tight') }
    for (let i = 0; i < 3; i += 1) assert.equal((await post(line.url, headers)).status, 200)
    const response = await post(line.url, headers)
    assert.equal(response.headers.get('retry-after'), '5')
    const { details } = await assertFailure(response, 429, 'RESOURCE_EXHAUSTED')
    assert.deepEqual(details, [
      {
        '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
        reason: 'RATE_LOOP',
        domain: 'treadle',
      },
      { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '5s' },
    ])
  })

  test("of trust is none: a sandbox's token is good on its own line alone", async () => {
    await using own = await startLine(stage, 'own')
    await using other = await startLine(stage, 'other')
    const headers = { 'x-goog-api-key': await tokenOf('own') }
    assert.equal((await post(own.url, headers)).status, 200)
    for (const url of [other.url, stage.url])
      await assertFailure(await post(url, headers), 401, 'UNAUTHENTICATED')
    await assertFailure(await post(own.url, asKey), 401, 'UNAUTHENTICATED')
  })

  test("of a header is none: Google's opens every wire, and what is behind it decides", async () => {
    const response = await post(stage.url, asKey, '{"model":"x"}', '/v1/messages')
    assert.equal(response.status, 403)
    const wrong = await post(stage.url, { 'x-goog-api-key': 'trd_x' }, '{}', '/v1/messages')
    assert.equal(wrong.status, 401)
  })
})
