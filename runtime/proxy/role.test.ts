import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { startPostgres, type TestPostgres } from '../testing/postgres.ts'
import {
  clientKey,
  type Stage,
  sandboxClaims,
  startLine,
  startStage,
  until,
  vaultedKey,
} from './testing/stage.ts'

describe('the proxy', () => {
  const owned = new AsyncDisposableStack()
  let postgres: TestPostgres
  let stage: Stage

  before(async () => {
    postgres = owned.use(await startPostgres())
    stage = owned.use(await startStage({ postgres }))
    await stage.addProvider()
    await stage.addProvider({ name: 'other', kind: 'openai', models: ['gpt-x'] })
  })
  after(() => owned.disposeAsync())
  beforeEach(() => {
    stage.upstream.seen.length = 0
  })

  const body = { model: 'm-1', max_tokens: 5, messages: [{ role: 'user', content: 'hi' }] }
  const answer = {
    type: 'message',
    content: [{ type: 'text', text: 'hello' }],
    stop_reason: 'end_turn',
    usage: {
      input_tokens: 10,
      cache_read_input_tokens: 4,
      cache_creation_input_tokens: 2,
      output_tokens: 3,
    },
  }
  const answerWith = (json: unknown) => {
    stage.upstream.state.script = (_request, response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(json))
  }
  const post = (url: URL, credential: string, sent: unknown = body, path = '/v1/messages') =>
    fetch(new URL(path, url), {
      method: 'POST',
      headers: { authorization: `Bearer ${credential}`, 'content-type': 'application/json' },
      body: JSON.stringify(sent),
    })

  test('a call goes to the provider with the vaulted key, and its usage is booked', async () => {
    answerWith(answer)
    const response = await post(stage.url, clientKey)
    assert.deepEqual(await response.json(), answer)
    const [seen] = stage.upstream.seen
    assert.equal(seen!.headers['x-api-key'], vaultedKey)
    assert.equal(seen!.headers.authorization, undefined)
    assert.equal(seen!.headers['anthropic-version'], '2023-06-01')
    assert.deepEqual(JSON.parse(seen!.body.toString()), body)
    const usage = await (await stage.admin('GET', '/api/usage')).json()
    assert.deepEqual((usage as { usage: unknown }[])[0]!.usage, {
      inputTokens: 16,
      cachedTokens: 4,
      cacheWriteTokens: 2,
      outputTokens: 3,
    })
  })

  test("a sandbox's record holds its calls at once, with the words of the last", async () => {
    answerWith(answer)
    await using line = await startLine(stage, 'sb-1')
    const token = await stage.deps.tokenFor(sandboxClaims())
    assert.equal((await post(line.url, token)).status, 200)
    const record = await stage.record('sb-1')
    assert.equal(record.calls, 1)
    assert.equal(record.inFlight, 0)
    assert.equal(record.last!.text, 'hello')
    assert.equal(record.last!.state, 'settled')
    assert.equal(record.last!.stopReason, 'end_turn')
    assert.deepEqual(record.usage, {
      inputTokens: 16,
      cachedTokens: 4,
      cacheWriteTokens: 2,
      outputTokens: 3,
    })
  })

  test('the conversation reaches threads once', async () => {
    answerWith(answer)
    stage.peers.turns.length = 0
    await (await post(stage.url, clientKey)).text()
    await until(() => stage.peers.turns.length > 0)
    const [turn] = stage.peers.turns
    assert.equal(turn!.answer.text, 'hello')
    assert.deepEqual(JSON.parse(turn!.request), body)
  })
})
