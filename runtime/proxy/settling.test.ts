// What a call asks for of its own accord to be counted, and what budgets are charged where nobody counted.
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { after, before, beforeEach, describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { startPostgres } from '../testing/postgres.ts'
import type { BudgetUse, Call } from './api.ts'
import { clientKey, type Stage, startStage, until } from './testing/stage.ts'

const sse = { 'content-type': 'text/event-stream' }
const json = { 'content-type': 'application/json' }
const said =
  'data: {"choices":[{"index":0,"delta":{"content":"hi"}}],"n":12345678901234567890}\r\n\r\n'
const counted =
  'data: {"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}}\r\n\r\n'
const done = 'data: [DONE]\r\n\r\n'

describe('a call is settled', () => {
  const owned = new AsyncDisposableStack()
  let stage: Stage
  before(async () => {
    const postgres = owned.use(await startPostgres())
    const ledger = {
      ...{ syncMs: '10ms', shipMs: '1h', segmentBytesMax: '1MiB', backlogBytesMax: '64KiB' },
    }
    stage = owned.use(await startStage({ postgres, config: { ledger } }))
    await stage.addProvider({ name: 'open', kind: 'openai', models: ['m-1'] })
    await stage.addProvider({
      ...{ name: 'closed', kind: 'openai', models: ['m-closed'], baseUrl: 'http://127.0.0.1:1' },
    })
    const budget = { name: 'all', level: 'org', unit: 'tokens', amount: 1e12, window: 'total' }
    const added = await stage.admin('POST', '/api/budgets', { ...budget, zone: 'UTC' })
    assert.equal(added.status, 201, await added.text())
  })
  after(() => owned.disposeAsync())
  beforeEach(() => {
    stage.upstream.seen.length = 0
  })

  const script = (then: (response: ServerResponse) => void) => {
    stage.upstream.state.script = (_request, response) => then(response)
  }
  const ask = (sent: object, path = '/v1/chat/completions', headers: object = {}) =>
    fetch(new URL(path, stage.url), {
      method: 'POST',
      headers: { authorization: `Bearer ${clientKey}`, ...headers },
      body: JSON.stringify({ model: 'm-1', ...sent }),
    })
  const lastCall = async () => {
    const page = await stage.admin('GET', '/api/calls?limit=1')
    return ((await page.json()) as { items: Call[] }).items[0]!
  }
  const readUse = async () => {
    const use = await stage.admin('GET', '/api/budgets/all/use')
    return (await use.json()) as BudgetUse
  }
  /** What a call adds to the budget, once nothing is held any more. */
  async function chargedBy(call: () => Promise<unknown>): Promise<number> {
    const { used } = await readUse()
    await call()
    await until(async () => (await readUse()).reserved === 0)
    return (await readUse()).used - used
  }

  for (const [title, body, sent] of [
    ['that says nothing of it', { stream: true }, '"stream_options":{"include_usage":true}'],
    [
      'that wants none',
      { stream: true, stream_options: { include_usage: false } },
      '"stream_options":{"include_usage":true}',
    ],
  ] as const)
    test(`by the usage of a chat stream ${title}, which its client does not see`, async () => {
      script((response) => response.writeHead(200, sse).end(said + counted + done))
      const response = await ask(body, undefined, { 'accept-encoding': 'gzip, br' })
      assert.equal(await response.text(), said + done)
      const [seen] = stage.upstream.seen
      assert.ok(seen!.body.includes(sent), seen!.body.toString())
      assert.equal(seen!.headers['accept-encoding'], 'identity')
      const { state, usage } = await lastCall()
      assert.deepEqual([state, usage.inputTokens, usage.outputTokens], ['settled', 11, 7])
    })

  test('as it came where the client asks for its usage, or the answer is packed all the same', async () => {
    const asked = { stream: true, stream_options: { include_usage: true } }
    script((response) => response.writeHead(200, sse).end(said + counted + done))
    const whole = await ask(asked, undefined, { 'accept-encoding': 'gzip, br' })
    assert.equal(await whole.text(), said + counted + done)
    const [seen] = stage.upstream.seen
    assert.equal(seen!.body.toString(), JSON.stringify({ model: 'm-1', ...asked }))
    assert.equal(seen!.headers['accept-encoding'], 'gzip, br')
    const packed = gzipSync(said + counted + done)
    script((response) =>
      response.writeHead(200, { ...sse, 'content-encoding': 'gzip' }).end(packed),
    )
    assert.equal(await (await ask({ stream: true })).text(), said + counted + done)
    assert.equal((await lastCall()).usage.inputTokens, 11)
  })

  test('with all that it held where it was never answered: it may have been done', async () => {
    script((response) => response.destroy())
    const charged = await chargedBy(() => ask({ max_tokens: 500 }))
    assert.ok(charged > 500 + 2_048, String(charged))
  })

  test('with all that it held where it goes on in the background', async () => {
    const queued = { id: 'resp_1', status: 'queued', background: true, usage: null }
    script((response) => response.writeHead(200, json).end(JSON.stringify(queued)))
    const body = { input: 'hi', background: true, max_output_tokens: 500 }
    const charged = await chargedBy(async () => (await ask(body, '/v1/responses')).text())
    assert.ok(charged > 500 + 2_048, String(charged))
  })

  test('with what was said where it was cut, and with nothing where it was refused or not sent', async () => {
    script((response) => response.writeHead(200, sse).write(said, () => response.destroy()))
    const cut = await chargedBy(() =>
      ask({ stream: true, max_tokens: 500 }).then((one) => one.text().catch(() => {})),
    )
    assert.ok(cut > 0 && cut < 100, String(cut))
    script((response) => response.writeHead(400, json).end('{"error":{"message":"no"}}'))
    assert.equal(await chargedBy(async () => (await ask({})).text()), 0)
    script((response) => response.writeHead(502).end(`<html>${'words '.repeat(99)}</html>`))
    assert.equal(await chargedBy(async () => (await ask({})).text()), 0)
    assert.equal(await chargedBy(async () => (await ask({ model: 'm-closed' })).text()), 0)
  })

  test('and what it held is free again where the ledger takes no call', async () => {
    script((response) =>
      response
        .writeHead(200, json)
        .end('{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}'),
    )
    await until(async () => {
      const response = await ask({})
      await response.text()
      return response.status === 503
    }, 20_000)
    assert.equal(await chargedBy(async () => (await ask({ max_tokens: 500 })).text()), 0)
  })
})
