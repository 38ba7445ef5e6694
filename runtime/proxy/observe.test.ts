import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { serviceClaims, userClaims } from '../testing/deps.ts'
import { startPostgres } from '../testing/postgres.ts'
import type { Call, LiveCalls } from './api.ts'
import { parseMetrics } from './observe/testing.ts'
import { clientKey, type Stage, startStage, until } from './testing/stage.ts'

const prompt = 'words that stay in this house'
const answer = { content: [{ type: 'text', text: prompt }], stop_reason: 'end_turn' }
const usage = { input_tokens: 10, output_tokens: 3 }
const traceId = '0af7651916cd43dd8448eb211c80319c'
const parent = 'b7ad6b7169203331'

type Attribute = { key: string; value: Record<string, unknown> }
type Sent = {
  traceId: string
  parentSpanId?: string
  name: string
  attributes: Attribute[]
  status: object
}
type Taken = { headers: IncomingMessage['headers']; spans: Sent[] }

describe('what is seen of calls', () => {
  const owned = new AsyncDisposableStack()
  let stage: Stage
  let collector: Awaited<ReturnType<typeof startCollector>>
  before(async () => {
    const postgres = owned.use(await startPostgres())
    collector = owned.use(await startCollector())
    const folder = mkdtempSync(join(tmpdir(), 'observe-'))
    owned.defer(() => rmSync(folder, { recursive: true }))
    const headersFile = join(folder, 'headers')
    writeFileSync(headersFile, 'x-collector-key: collector-canary\n')
    const otel = { url: `${collector.url}v1/traces`, headersFile, sampleRatio: 0 }
    const answerHeaders = ['call', 'overhead', 'cost']
    stage = owned.use(await startStage({ postgres, config: { otel, answerHeaders } }))
    await stage.addProvider({ models: ['claude-opus-4-5'] })
  })
  after(() => owned.disposeAsync())
  beforeEach(() => {
    stage.upstream.seen.length = 0
    stage.upstream.state.script = (_request, response) =>
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ ...answer, usage }))
  })

  const call = (more: Record<string, string> = {}, model = 'claude-opus-4-5') =>
    fetch(new URL('/v1/messages', stage.url), {
      method: 'POST',
      headers: { 'x-api-key': clientKey, 'content-type': 'application/json', ...more },
      body: JSON.stringify({ model, messages: [{ role: 'user', content: prompt }] }),
    })
  const read = async <T>(path: string, claims = userClaims()) =>
    (await (await stage.admin('GET', path, undefined, claims)).json()) as T

  test('a call has its times in order, on a page of its own', async () => {
    const response = await call()
    await response.text()
    const found = await read<Call>(`/api/calls/${response.headers.get('x-treadle-call')}`)
    const { intakeMs, sentMs, firstByteMs, lastByteMs } = found.timing!
    assert.ok(
      intakeMs >= 0 && sentMs! >= 0 && firstByteMs! >= sentMs! && lastByteMs! >= firstByteMs!,
    )
    assert.equal(found.model, 'claude-opus-4-5')
    const absent = await stage.admin('GET', '/api/calls/nothing')
    assert.deepEqual(
      [absent.status, ((await absent.json()) as { code: string }).code],
      [404, 'call/absent'],
    )
    const elsewhere = userClaims({ org: 'other' })
    assert.equal(
      (await stage.admin('GET', `/api/calls/${found.id}`, undefined, elsewhere)).status,
      404,
    )
  })

  test('an answer tells its call, our time and its cost, and is whole byte for byte', async () => {
    const response = await call()
    assert.equal(await response.text(), JSON.stringify({ ...answer, usage }))
    assert.match(response.headers.get('x-treadle-call')!, /^[0-9a-f-]{36}$/)
    assert.match(response.headers.get('x-treadle-overhead-ms')!, /^\d+\.\d\d$/)
    assert.equal(Number(response.headers.get('x-treadle-cost-usd')), 0.000125)
  })

  test('a stream is not held for what it costs, nor is what is too large', async () => {
    stage.upstream.state.script = (_request, response) =>
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: {}\n\n')
    const stream = await call()
    assert.ok(stream.headers.get('x-treadle-call'))
    assert.equal(stream.headers.get('x-treadle-cost-usd'), null)
    await stream.body!.cancel()
    const text = JSON.stringify({ ...answer, usage, more: 'x'.repeat(3 * 1024 * 1024) })
    stage.upstream.state.script = (_request, response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(text)
    const large = await call()
    assert.equal(large.headers.get('x-treadle-cost-usd'), null)
    assert.equal(await large.text(), text)
  })

  test('an answer that is cut while it is held is cut for the client', async () => {
    stage.upstream.state.script = (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).write('{"half":')
      setTimeout(() => response.destroy(), 50)
    }
    await assert.rejects(async () => (await call()).text())
  })

  test('what is in flight can be looked at, and only that, and only by its organisation', async () => {
    let end = () => {}
    stage.upstream.state.script = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: {}\n\n')
      end = () => response.end()
    }
    const response = await call()
    await until(async () => (await read<LiveCalls>('/api/calls/live')).items[0]?.bytes === 10)
    const { items, total } = await read<LiveCalls>('/api/calls/live?limit=1')
    const [live] = items
    assert.deepEqual(
      { ...live, id: '', beganAt: '', sinceMs: 0, firstByteMs: 0 },
      {
        ...{ id: '', user: 'owner', key: 'key-1', loop: null, pass: null, sandbox: null },
        ...{ provider: 'vendor', model: 'claude-opus-4-5', wire: 'messages', isRehearsal: false },
        ...{ beganAt: '', sinceMs: 0, firstByteMs: 0, bytes: 10, tries: 1 },
      },
    )
    assert.ok(total === 1 && live!.sinceMs >= live!.firstByteMs!)
    const elsewhere = await read<LiveCalls>('/api/calls/live', userClaims({ org: 'other' }))
    assert.deepEqual(elsewhere, { items: [], total: 0 })
    end()
    await response.text()
    await until(async () => (await read<LiveCalls>('/api/calls/live')).total === 0)
    assert.equal((await stage.admin('GET', '/api/calls/live?limit=0')).status, 400)
  })

  test('a further try counts, and the call is told of the provider that it went to in the end', async () => {
    for (const name of ['first', 'second'])
      await stage.addProvider({ name, key: `sk-${name}`, models: ['m-tried'] })
    const targets = [{ provider: 'first' }, { provider: 'second', order: 1 }]
    const retry = { triesMax: 2, on: ['overloaded'] }
    const route = { name: 'tried', match: { models: ['m-tried'] }, targets, retry }
    assert.equal((await stage.admin('POST', '/api/routes', route)).status, 201)
    stage.upstream.state.script = ({ headers }, response) => {
      const isFirst = headers['x-api-key'] === 'sk-first'
      response
        .writeHead(isFirst ? 529 : 200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ ...answer, usage }))
    }
    await (await call({}, 'm-tried')).text()
    const text = await (await stage.admin('GET', '/api/metrics')).text()
    const retries = parseMetrics(text).find(
      ({ name, labels }) => name === 'treadle_proxy_retries_total' && labels['model'] === 'm-tried',
    )
    assert.deepEqual([retries?.labels['provider'], retries?.value], ['second', 1])
    const errors = parseMetrics(text).filter(
      ({ name, labels }) =>
        name === 'treadle_proxy_upstream_errors_total' && labels['model'] === 'm-tried',
    )
    assert.deepEqual(
      errors.map(({ labels, value }) => [labels['provider'], labels['class'], value]),
      [['first', 'overloaded', 1]],
    )
  })

  test('metrics are for owners and other roles, well formed, and hold no text of anybody', async () => {
    await (await call()).text()
    await (await fetch(new URL('/v1/messages', stage.url), { method: 'POST' })).text()
    const asked = await stage.admin('GET', '/metrics', undefined, serviceClaims('weaver'))
    assert.equal(asked.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
    const text = await asked.text()
    const found = new Map(parseMetrics(text).map(({ name, value }) => [name, value]))
    for (const name of [
      ...['calls_total', 'in_flight', 'overhead_seconds_count', 'cost_usd_total', 'retries_total'],
      ...[
        'unpriced_calls_total',
        'estimated_calls_total',
        'ledger_backlog_bytes',
        'refusals_total',
      ],
      ...['turns_dropped_total', 'spans_total'],
    ])
      assert.ok(found.has(`treadle_proxy_${name}`), name)
    assert.ok(text.includes('treadle_proxy_refusals_total{code="credential/absent"} 1'))
    assert.ok(!text.includes(prompt) && !text.includes(clientKey))
    for (const [claims, status] of [
      [userClaims(), 200],
      [userClaims({ role: 'member', channel: 'session' }), 403],
    ] as const)
      assert.equal((await stage.admin('GET', '/api/metrics', undefined, claims)).status, status)
    assert.equal((await fetch(new URL('/metrics', stage.adminUrl))).status, 401)
    const other = await stage.admin('GET', '/api/metrics', undefined, userClaims({ org: 'other' }))
    assert.ok(!(await other.text()).includes('claude-opus'))
  })

  test('a trace that a client is part of goes on in one span a call, and its header upstream as it came', async () => {
    const traceparent = `00-${traceId}-${parent}-01`
    const response = await call({ traceparent })
    await response.text()
    await until(() => collector.spans().some((span) => span.traceId === traceId))
    const { headers, spans } = collector.taken.find((one) => one.spans.length > 0)!
    assert.equal(headers['x-collector-key'], 'collector-canary')
    const span = spans.find((one) => one.traceId === traceId)!
    assert.equal(span.parentSpanId, parent)
    assert.equal(span.name, 'chat claude-opus-4-5')
    const values = new Map(span.attributes.map(({ key, value }) => [key, Object.values(value)[0]]))
    assert.equal(values.get('gen_ai.provider.name'), 'anthropic')
    assert.equal(values.get('gen_ai.usage.input_tokens'), '10')
    assert.equal(values.get('treadle.call.id'), response.headers.get('x-treadle-call'))
    assert.equal(stage.upstream.seen[0]!.headers['traceparent'], traceparent)
    assert.ok(!JSON.stringify(collector.taken).includes(prompt))
  })

  test('what no client traces is told as often as the ratio says: here never', async () => {
    const before = collector.spans().length
    await (await call()).text()
    await (await call({ traceparent: `00-${traceId}-${parent}-00` })).text()
    await (await call({ traceparent: 'not one' })).text()
    await (await call({ traceparent: `00-${traceId}-${parent}-01` })).text()
    await until(() => collector.spans().length > before)
    assert.equal(collector.spans().length, before + 1)
  })

  test('what costs nothing is seen as an operation of its own, and is no call in the ledger', async () => {
    await stage.addProvider({ name: 'storing', kind: 'openai', models: ['m-stored'] })
    const booked = (await read<{ items: Call[] }>('/api/calls?model=m-stored')).items.length
    const send = (method: string, path: string, body?: object) =>
      fetch(new URL(path, stage.url), {
        method,
        headers: { 'x-api-key': clientKey, traceparent: `00-1${traceId.slice(1)}-${parent}-01` },
        ...(body && { body: JSON.stringify(body) }),
      })
    const id = 'resp_watched'
    stage.upstream.state.script = ({ method }, response) =>
      response
        .writeHead(method === 'GET' ? 500 : 200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ id, status: 'completed', usage }))
    const ask = { model: 'm-stored', input: 'x' }
    await (await send('POST', '/v1/responses', ask)).text()
    await until(async () => (await send('GET', `/v1/responses/${id}`)).status === 500)
    const counted = { model: 'claude-opus-4-5', messages: [] }
    let fail = () => {}
    stage.upstream.state.script = (_request, response) => {
      fail = () => response.writeHead(529).end('{}')
    }
    const before = stage.upstream.seen.length
    const counting = send('POST', '/v1/messages/count_tokens', counted)
    await until(() => stage.upstream.seen.length > before)
    assert.equal((await read<LiveCalls>('/api/calls/live')).total, 0)
    fail()
    assert.equal((await counting).status, 529)
    const text = await (await stage.admin('GET', '/api/metrics')).text()
    const found = parseMetrics(text)
    const sampleOf = (name: string, operation: string) =>
      found.find((one) => one.name === name && one.labels['operation'] === operation)
    const calls = 'treadle_proxy_calls_total'
    assert.deepEqual(
      ['generate', 'count', 'stored'].map((one) => sampleOf(calls, one)?.labels['outcome']),
      ['complete', 'error', 'error'],
    )
    for (const [operation, provider, errorClass] of [
      ['stored', 'storing', 'failed'],
      ['count', 'vendor', 'overloaded'],
    ] as const) {
      const { labels } = sampleOf('treadle_proxy_upstream_errors_total', operation)!
      assert.deepEqual([labels['provider'], labels['class']], [provider, errorClass])
    }
    assert.ok(text.includes('gen_ai_operation_name="count_tokens"'))
    const { items } = await read<{ items: Call[] }>('/api/calls?model=m-stored')
    assert.equal(items.length, booked + 1)
    await until(() =>
      ['stored_response', 'count_tokens claude-opus-4-5'].every((wanted) =>
        collector.spans().some(({ name }) => name === wanted),
      ),
    )
  })

  test('a collector that is away holds nothing up, and what it missed is counted', async () => {
    collector.state.status = 400
    await (await call({ traceparent: `00-${traceId}-${parent}-01` })).text()
    await until(async () => {
      const text = await (await stage.admin('GET', '/api/metrics')).text()
      return text.includes('treadle_proxy_spans_total{result="dropped"} 1')
    })
    collector.state.status = 200
  })
})

async function startCollector() {
  const taken: Taken[] = []
  const state = { status: 200 }
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text
    })
    request.once('end', () => {
      const { resourceSpans } = JSON.parse(body)
      const spans: Sent[] = resourceSpans[0].scopeSpans[0].spans
      if (state.status === 200) taken.push({ headers: request.headers, spans })
      response.writeHead(state.status).end('{}')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  return {
    url,
    taken,
    state,
    spans: () => taken.flatMap(({ spans }) => spans),
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
    },
  }
}
