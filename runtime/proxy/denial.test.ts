import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { SandboxClaims } from '#kernel/tokens.ts'
import { startPostgres } from '../testing/postgres.ts'
import {
  clientKey,
  exchange,
  keyCheck,
  type Stage,
  sandboxClaims,
  stageConfig,
  startLine,
  startStage,
  startUpstream,
  until,
} from './testing/stage.ts'

const paths = {
  messages: '/v1/messages',
  chat: '/v1/chat/completions',
  responses: '/v1/responses',
  gemini: '/v1beta/models/',
} as const
const answers = {
  messages: { usage: { input_tokens: 100, output_tokens: 10 } },
  chat: { usage: { prompt_tokens: 100, completion_tokens: 10 } },
  responses: { usage: { input_tokens: 100, output_tokens: 10 } },
  gemini: {
    candidates: [{ finishReason: 'STOP' }],
    usageMetadata: { promptTokenCount: 100, candidatesTokenCount: 4, thoughtsTokenCount: 6 },
  },
}
/** What each vendor calls a spent budget and a forbidden model. */
const names = {
  messages: ['billing_error', 'permission_error'],
  chat: ['billing_error', 'permission_error'],
  responses: ['billing_error', 'permission_error'],
  gemini: ['PERMISSION_DENIED', 'PERMISSION_DENIED'],
} as const
/** So that what a call may come to is its prompt. */
const short = {
  messages: { max_tokens: 1 },
  chat: { max_completion_tokens: 1 },
  responses: { max_output_tokens: 1 },
  gemini: { generationConfig: { maxOutputTokens: 1 } },
}
const nameOf = ({ type, status }: Record<string, string>) => type ?? status

describe('a denial', () => {
  const owned = new AsyncDisposableStack()
  let stage: Stage
  let rehearsal: Awaited<ReturnType<typeof startUpstream>>
  let count = 0
  before(async () => {
    const postgres = owned.use(await startPostgres())
    rehearsal = owned.use(await startUpstream())
    const keyFile = join(tmpdir(), `rehearsal-${process.pid}`)
    writeFileSync(keyFile, 'rehearsal-key\n', { mode: 0o600 })
    owned.defer(() => rmSync(keyFile))
    const breaker = { callsMax: 8, keyCallsMax: 60, windowMs: '10s', retryAfterS: 5 }
    stage = owned.use(
      await startStage({
        postgres,
        config: { rehearsal: { url: rehearsal.url.href, keyFile }, breaker, bodyBytesMax: '64KiB' },
      }),
    )
    await stage.addProvider({ models: ['claude-opus-4-5', 'no-price'] })
    await stage.addProvider({ name: 'open', kind: 'openai', models: ['gpt-5'] })
    await stage.addProvider({ name: 'any', kind: 'anthropic', models: [] })
    await stage.addProvider({ name: 'google', kind: 'gemini', models: ['gemini-2.5-pro'] })
    await stage.addProvider({
      name: 'greedy',
      kind: 'openai',
      models: ['gpt-5', 'claude-opus-4-5'],
    })
  })
  after(() => owned.disposeAsync())
  beforeEach(() => {
    for (const upstream of [stage.upstream, rehearsal]) {
      upstream.seen.length = 0
      upstream.state.script = (request, response) => {
        const wire = (Object.keys(paths) as (keyof typeof paths)[]).find((name) =>
          request.url.startsWith(paths[name]),
        )!
        response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(JSON.stringify(answers[wire]))
      }
    }
  })

  /** One call from a sandbox of its own, or of a given name. */
  async function callFrom(claims: Partial<SandboxClaims>, wire: keyof typeof paths, asked: string) {
    count += 1
    const full = sandboxClaims({ sub: `sb-${count}`, model: asked, ...claims })
    await using line = await startLine(stage, full.sub)
    const path = wire === 'gemini' ? `${paths.gemini}${asked}:generateContent` : paths[wire]
    const response = await fetch(new URL(path, line.url), {
      method: 'POST',
      headers: { authorization: `Bearer ${await stage.deps.tokenFor(full)}` },
      body: JSON.stringify(wire === 'gemini' ? short.gemini : { model: asked, ...short[wire] }),
    })
    return {
      sandbox: full.sub,
      status: response.status,
      headers: response.headers,
      body: (await response.json()) as { type?: string; error: Record<string, string> },
    }
  }

  /** Calls until one is denied. Each that went through came to 110 tokens. */
  async function callUntilDenied(
    claims: Partial<SandboxClaims> & { sub: string },
    wire: keyof typeof paths,
    asked: string,
  ) {
    for (let through = 0; through < 8; through += 1) {
      const call = await callFrom(claims, wire, asked)
      if (call.status !== 200) return { ...call, through }
      await stage.record(claims.sub)
    }
    throw new Error('no call was denied')
  }

  const models = {
    messages: 'claude-opus-4-5',
    chat: 'gpt-5',
    responses: 'gpt-5',
    gemini: 'gemini-2.5-pro',
  } as const
  // Each cap has room for what a call may come to (a token for each byte of it and 2,048, at the dearest), and not for two.
  for (const [wire, budget, policy, nanoUsdMax] of [
    ['messages', 402, 403, 30_000_000],
    ['chat', 402, 403, 12_000_000],
    ['responses', 400, 400, 12_000_000],
    ['gemini', 403, 403, 8_000_000],
  ] as const) {
    test(`on ${wire}: a spent dollar budget is ${budget}, says how much, and is not retried`, async () => {
      const sub = `usd-${wire}`
      stage.upstream.state.script = (_request, response) =>
        response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(JSON.stringify(answers[wire]).replace(':100,', ':2000,'))
      const denied = await callUntilDenied({ sub, nanoUsdMax }, wire, models[wire])
      assert.ok(denied.through > 0)
      assert.equal(denied.status, budget)
      assert.equal(denied.headers.get('x-should-retry'), 'false')
      const all = `\\$${(nanoUsdMax / 1e9).toFixed(4)}`
      assert.match(denied.body.error.message!, new RegExp(`It has used \\$0\\.0\\d+ of ${all}`))
      assert.match(denied.body.error.message!, /This call can come to \$0\.0\d+\./)
      assert.equal(nameOf(denied.body.error), names[wire][0])
      assert.equal(denied.body.type, wire === 'messages' ? 'error' : undefined)
      const record = await stage.record(sub)
      assert.equal(record.calls, denied.through)
      assert.equal(record.denial!.code, 'budget/usd')
      assert.equal(record.last!.state, 'denied')
      assert.equal(record.last!.status, budget)
      assert.equal(stage.upstream.seen.length, denied.through)
    })

    test(`on ${wire}: another model than the loop's is ${policy}`, async () => {
      const denied = await callFrom({ model: 'else' }, wire, models[wire])
      assert.equal(denied.status, policy)
      assert.equal(nameOf(denied.body.error), names[wire][1])
      assert.match(denied.body.error.message!, /names else, and this call asks for/)
      assert.equal(stage.upstream.seen.length, 0)
    })
  }

  test('a spent token budget counts tokens in and out', async () => {
    const claims = { sub: 'tokens', tokensMax: 2_300 }
    const denied = await callUntilDenied(claims, 'messages', 'no-price')
    const used = denied.through * 110
    assert.match(
      denied.body.error.message!,
      new RegExp(
        `It has used ${used} of 2300 tokens: the cap of this pass\\. This call can come to 2\\d{3} tokens`,
      ),
    )
  })

  test('a budget survives a restart', async () => {
    const claims = { sub: 'restart', tokensMax: 2_200 }
    assert.equal((await callFrom(claims, 'messages', 'no-price')).status, 200)
    await stage.restart()
    await until(async () => (await callFrom(claims, 'messages', 'no-price')).status === 402)
  })

  test('a model without a price is denied under a dollar budget, and only then', async () => {
    const denied = await callFrom({ nanoUsdMax: 1 }, 'messages', 'no-price')
    assert.equal(denied.status, 402)
    assert.match(denied.body.error.message!, /no price/)
    assert.equal((await callFrom({}, 'messages', 'no-price')).status, 200)
  })

  for (const [title, claims, wire, model, seenBy] of [
    [
      'a model goes to the provider that lists it and speaks the wire',
      {},
      'messages',
      'claude-opus-4-5',
      'vendor',
    ],
    ['a model that only a provider of another wire lists', {}, 'chat', 'no-price', null],
    ['a model nobody lists', {}, 'messages', 'nobody', null],
    ['a pin to a provider that lists nothing', { provider: 'any' }, 'messages', 'nobody', 'vendor'],
    [
      'a pin to a provider that lists other models',
      { provider: 'vendor' },
      'messages',
      'nobody',
      null,
    ],
    ['a pin to a provider of another wire', { provider: 'open' }, 'messages', 'gpt-5', null],
    ['another organisation', { org: 'elsewhere' }, 'messages', 'claude-opus-4-5', null],
    ['a rehearsal model', {}, 'messages', 'rehearsal/fix', 'rehearsal'],
    ['a rehearsal model on chat', {}, 'chat', 'rehearsal/fix', 'rehearsal'],
    ['a rehearsal model on responses', {}, 'responses', 'rehearsal/fix', 'rehearsal'],
    ['a rehearsal model on gemini', {}, 'gemini', 'rehearsal/fix', 'rehearsal'],
    ['a model of Gemini', {}, 'gemini', 'gemini-2.5-pro', 'vendor'],
    ['a model of Gemini on another wire', {}, 'chat', 'gemini-2.5-pro', null],
    ['a model of another vendor on Gemini', {}, 'gemini', 'gpt-5', null],
    [
      'a rehearsal model pinned to a vendor',
      { provider: 'any' },
      'messages',
      'rehearsal/fix',
      null,
    ],
    [
      "a vendor's model pinned to rehearsal",
      { provider: 'rehearsal' },
      'messages',
      'claude-opus-4-5',
      null,
    ],
  ] as const) {
    test(`${title}: ${seenBy ? `goes to ${seenBy}` : 'no provider'}`, async () => {
      const { status, body } = await callFrom(claims, wire, model)
      assert.equal(status, seenBy ? 200 : 403)
      if (!seenBy) assert.equal(nameOf(body.error), names[wire][1])
      assert.equal(stage.upstream.seen.length, seenBy === 'vendor' ? 1 : 0)
      assert.equal(rehearsal.seen.length, seenBy === 'rehearsal' ? 1 : 0)
    })
  }

  test('rehearsal gets its own key, is priced, and is marked in the usage', async () => {
    await callFrom({ nanoUsdMax: 1_000_000_000 }, 'messages', 'rehearsal/priced')
    assert.equal(rehearsal.seen.at(-1)!.headers.authorization, 'Bearer rehearsal-key')
    const rows = (await (
      await stage.admin('GET', '/api/usage')
    ).json()) as import('./api.ts').UsageRow[]
    const row = rows.find(({ model }) => model === 'rehearsal/priced')!
    assert.deepEqual(
      [row.isRehearsal, row.costNanoUsd, row.unpricedCalls],
      [true, 100 * 3_000 + 10 * 15_000, 0],
    )
  })

  test('a name of rehearsal can not be taken by a provider', async () => {
    assert.equal(
      (await stage.admin('POST', '/api/providers', { name: 'rehearsal', kind: 'openai', key: 'k' }))
        .status,
      409,
    )
    const taken = { name: 'x', kind: 'openai', key: 'k', models: ['rehearsal/fix'] }
    assert.equal((await stage.admin('POST', '/api/providers', taken)).status, 400)
  })

  test('a tight loop is told to wait, and neither booked nor counted', async () => {
    const statuses = []
    let last: Awaited<ReturnType<typeof callFrom>> | undefined
    for (let i = 0; i < 10; i += 1) {
      last = await callFrom({ sub: 'tight' }, 'messages', 'no-price')
      statuses.push(last.status)
    }
    assert.deepEqual(statuses, [...Array(8).fill(200), 429, 429])
    assert.equal(last!.headers.get('retry-after'), '5')
    assert.equal(last!.headers.get('x-should-retry'), null) // It may go on, later.
    const breaker = { callsMax: 8, windowMs: '10s', retryAfterS: 31 }
    assert.throws(() => stageConfig(stage.scratch, { breaker }), /retryAfterS/) // Some agents sleep as long as they are told.
    assert.equal(last!.body.error.type, 'rate_limit_error')
    const record = await stage.record('tight')
    assert.deepEqual([record.calls, record.denial], [8, null])
  })

  test('an API key in a tight loop is told to wait as well, and no other key with it', async () => {
    const tight = 'trd_tight-loop'
    stage.peers.keys.push(keyCheck(tight, { id: 'key-tight' }))
    const list = () => fetch(new URL('/v1/models', stage.url), { headers: { 'x-api-key': tight } })
    await until(async () => (await list()).status === 200)
    const call = (key: string) =>
      post('/v1/messages/count_tokens', '{"model":"claude-opus-4-5"}', { 'x-api-key': key })
    const all = await Promise.all(Array.from({ length: 62 }, () => call(tight)))
    const refused = all.filter(({ status }) => status === 429)
    assert.equal(refused.length, 2)
    assert.equal(refused[0]!.headers.get('retry-after'), '5')
    assert.match(await refused[0]!.text(), /60 calls of one API key in 10 s is the most/)
    assert.equal((await call(clientKey)).status, 200)
  })

  const post = (path: string, body: string | Buffer, headers: Record<string, string> = {}) =>
    fetch(new URL(path, stage.url), {
      method: 'POST',
      headers: { 'x-api-key': clientKey, ...headers },
      body: body as string,
    })

  for (const [title, send, status] of [
    [
      'a body in an old packing',
      () => post('/v1/messages', gzipSync('{}'), { 'content-encoding': 'compress' }),
      415,
    ],
    [
      'a body that is not packed as it says',
      () => post('/v1/messages', '{}', { 'content-encoding': 'zstd' }),
      400,
    ],
    ['a body over the limit', () => post('/v1/messages', 'x'.repeat(70_000)), 413],
    ['two models', () => post('/v1/messages', '{"model":"a","model":"b"}'), 400],
    ['no body', () => post('/v1/messages', ''), 400],
    ['an unknown path', () => post('/v1/nothing', '{}'), 404],
    [
      'another method',
      () => fetch(new URL('/v1/messages', stage.url), { headers: { 'x-api-key': clientKey } }),
      404,
    ],
  ] as const) {
    test(`${title} is answered with ${status} and a reason`, async () => {
      const response = await send()
      assert.equal(response.status, status)
      assert.ok(
        ((await response.json()) as { error: { message: string } }).error.message.length > 10,
      )
      assert.equal(stage.upstream.seen.length, 0)
    })
  }

  test('a body of unknown length over the limit is cut off', async () => {
    const chunk = `${(20_000).toString(16)}\r\n${'x'.repeat(20_000)}\r\n`
    const head = `POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: ${clientKey}\r\ntransfer-encoding: chunked\r\n\r\n`
    assert.match(
      await exchange(stage.url, head + chunk.repeat(5), (got) => got.includes('}')),
      /^HTTP\/1.1 413 /,
    )
  })

  test('a WebSocket is answered with 426 at once', async () => {
    const head =
      'GET /v1/responses HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x\r\n\r\n'
    assert.match(await exchange(stage.url, head), /^HTTP\/1.1 426 /)
  })

  test('a sandbox sees its own model alone', async () => {
    await using line = await startLine(stage, 'list')
    const token = await stage.deps.tokenFor(sandboxClaims({ sub: 'list', model: 'gpt-5' }))
    const list = (await (
      await fetch(new URL('/v1/models', line.url), { headers: { 'x-api-key': token } })
    ).json()) as { data: { id: string }[] }
    assert.deepEqual(
      list.data.map(({ id }) => id),
      ['gpt-5'],
    )
  })
})
