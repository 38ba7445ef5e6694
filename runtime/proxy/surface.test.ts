// Every route of the surface over real sockets: what is answered, what reaches the vendor, and where.
import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { after, before, beforeEach, describe, test } from 'node:test'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { createLog } from '#kernel/log.ts'
import { serviceClaims } from '../testing/deps.ts'
import { startPostgres } from '../testing/postgres.ts'
import { clientKey, exchange, type Stage, startStage, until, vaultedKey } from './testing/stage.ts'

const post = 'POST'
const chat = { messages: [{ role: 'user', content: 'hi' }] }
const usage = { prompt_tokens: 5, completion_tokens: 0, total_tokens: 5, input_tokens: 5 }

describe('the surface', () => {
  const owned = new AsyncDisposableStack()
  let stage: Stage
  let logged = ''
  before(async () => {
    const postgres = owned.use(await startPostgres())
    const kept = new Writable({
      write(chunk: Buffer, _encoding, done) {
        logged += chunk
        done()
      },
    })
    const log = createLog('trace', kept)
    stage = owned.use(await startStage({ postgres, log, config: { bodyBytesMax: '1MiB' } }))
    const { href } = stage.upstream.url
    const at = (path: string) => new URL(path, href).href
    for (const [name, kind, model, baseUrl] of [
      ['claude', 'anthropic', 'claude-1', href],
      ['openai', 'openai', 'gpt-1', href],
      ['google', 'gemini', 'gem-1', href],
      ['zai', 'zai', 'glm-1', at('/api/paas/v4')],
      ['zai-plan', 'zai', 'glm-2', at('/api/coding/paas/v4')],
      ['zai-claude', 'zai', 'glm-3', at('/api/anthropic')],
      ['vllm', 'openai-compatible', 'qwen-1', at('/v1')],
      ['ollama', 'openai-compatible', 'qwen-2', href],
      ['gateway', 'openai-compatible', 'qwen-3', at('/team/llm/v1')],
      ['google-compatible', 'openai-compatible', 'qwen-4', at('/v1beta/openai')],
    ] as const) {
      await stage.addProvider({ name, kind, baseUrl, models: [model] })
    }
  })
  after(() => owned.disposeAsync())
  beforeEach(() => {
    stage.upstream.seen.length = 0
    stage.upstream.state.script = (_seen, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ id: 'x', usage }))
    }
  })

  const bearer = { authorization: `Bearer ${clientKey}` }
  const send = (path: string, body: unknown, headers: Record<string, string> = bearer) =>
    fetch(new URL(path, stage.url), {
      method: post,
      headers: { 'content-type': 'application/json', ...headers },
      body: Buffer.isBuffer(body) ? new Uint8Array(body) : JSON.stringify(body),
    })

  for (const [path, model, upstream = path] of [
    ['/v1/messages', 'claude-1'],
    ['/v1/messages?beta=true', 'claude-1'],
    ['/messages', 'claude-1', '/v1/messages'],
    ['/messages?beta=true', 'claude-1', '/v1/messages?beta=true'],
    ['/v1/messages/count_tokens', 'claude-1'],
    ['/messages/count_tokens', 'claude-1', '/v1/messages/count_tokens'],
    ['/v1/chat/completions', 'gpt-1'],
    ['/v1/responses', 'gpt-1'],
    ['/v1/responses/compact', 'gpt-1'],
    ['/v1/responses/input_tokens', 'gpt-1'],
    ['/v1/embeddings', 'gpt-1'],
    ['/v1/chat/completions', 'glm-1', '/api/paas/v4/chat/completions'],
    ['/v1/embeddings', 'glm-1', '/api/paas/v4/embeddings'],
    ['/v1/messages', 'glm-1', '/api/anthropic/v1/messages'],
    ['/api/paas/v4/chat/completions', 'glm-1'],
    ['/api/anthropic/v1/messages', 'glm-1'],
    ['/v1/chat/completions', 'glm-2', '/api/coding/paas/v4/chat/completions'],
    ['/api/coding/paas/v4/chat/completions', 'glm-2'],
    ['/v1/messages', 'glm-2', '/api/anthropic/v1/messages'],
    ['/v1/messages', 'glm-3', '/api/anthropic/v1/messages'],
    ['/v1/chat/completions', 'glm-3', '/api/paas/v4/chat/completions'],
    ['/v1/chat/completions', 'qwen-1'],
    ['/v1/responses', 'qwen-1'],
    ['/v1/chat/completions', 'qwen-2'],
    ['/v1/embeddings', 'qwen-2'],
    ['/v1/chat/completions?x=%2F&y=1', 'qwen-3', '/team/llm/v1/chat/completions?x=%2F&y=1'],
    ['/v1/chat/completions', 'qwen-4', '/v1beta/openai/chat/completions'],
  ] as const) {
    test(`a call of ${model} at ${path} reaches ${upstream} with its body as it was`, async () => {
      const body = { model, max_tokens: 5, input: 'hi', ...chat }
      const response = await send(path, body)
      assert.equal(response.status, 200, await response.clone().text())
      const [seen] = stage.upstream.seen
      assert.equal(seen!.url, upstream)
      assert.equal(seen!.body.toString(), JSON.stringify(body))
    })
  }

  for (const verb of ['generateContent', 'countTokens', 'embedContent', 'batchEmbedContents']) {
    for (const version of ['v1', 'v1beta']) {
      test(`Gemini's ${verb} is served below /${version}`, async () => {
        const path = `/${version}/models/gem-1:${verb}`
        const requests = [{ model: 'models/gem-1', content: { parts: [{ text: 'hi' }] } }]
        const body = verb === 'batchEmbedContents' ? { requests } : { contents: [] }
        assert.equal((await send(path, body)).status, 200)
        assert.equal(stage.upstream.seen[0]!.url, path)
      })
    }
  }

  test('a Gemini batch that names another model inside is refused', async () => {
    const requests = [{ model: 'models/gem-1' }, { model: 'models/dear' }]
    const response = await send('/v1beta/models/gem-1:batchEmbedContents', { requests })
    assert.equal(response.status, 400)
    assert.equal(stage.upstream.seen.length, 0)
  })

  for (const [method, path] of [
    ['HEAD', '/'],
    ['HEAD', '/api/hello'],
    ['GET', '/api/hello'],
  ] as const) {
    test(`${method} ${path} says that somebody is there, to whoever asks`, async () => {
      assert.equal((await fetch(new URL(path, stage.url), { method })).status, 200)
    })
  }

  for (const [method, path, pattern, shape] of [
    [post, '/v1/messages/batches', /Batches are not served/, 'anthropic'],
    [post, '/v1/batches', /Batches are not served/, 'openai'],
    ['GET', '/v1/files/file-1', /Files are not served/, 'openai'],
    [post, '/v1beta/files', /Files are not served/, 'google'],
    [post, '/upload/v1beta/files', /Files are not served/, 'google'],
    [post, '/v1beta/cachedContents', /caches are not served/, 'google'],
    [post, '/v1beta/models/gem-1:batchGenerateContent', /Batches are not served/, 'google'],
    [
      post,
      '/v1/projects/p/locations/l/publishers/anthropic/models/m:rawPredict',
      /Vertex/,
      'google',
    ],
    ['GET', '/v1/realtime', /Realtime/, 'openai'],
    [post, '/v1/audio/speech', /Speech/, 'openai'],
    [post, '/v1/images/generations', /Pictures/, 'openai'],
    [post, '/v1/conversations', /conversations/, 'openai'],
    [post, '/v1/completions', /use chat/, 'openai'],
    ['PUT', '/v1/messages', /PUT \/v1\/messages/, 'anthropic'],
    ['DELETE', '/v1/responses/resp_1/cancel', /DELETE/, 'openai'],
  ] as const) {
    test(`${method} ${path} is answered with 404 and why, as ${shape} says it`, async () => {
      const response = await fetch(new URL(path, stage.url), { method, headers: bearer })
      assert.equal(response.status, 404)
      const body = (await response.json()) as {
        type?: string
        error: { message: string; type?: string; status?: string }
      }
      assert.match(body.error.message, pattern)
      const said = body.type === 'error' ? 'anthropic' : body.error.status ? 'google' : 'openai'
      assert.equal(said, shape)
      assert.equal(stage.upstream.seen.length, 0)
    })
  }

  for (const [method, path] of [
    ['GET', '/v1/responses/resp_1'],
    ['DELETE', '/v1/responses/resp_1'],
    [post, '/v1/responses/resp_1/cancel'],
    ['GET', '/v1/responses/resp_1/input_items?limit=5'],
  ] as const) {
    test(`${method} ${path} of a response that is not the caller's is a 404`, async () => {
      const response = await fetch(new URL(path, stage.url), { method, headers: bearer })
      assert.equal(response.status, 404)
      assert.match(await response.text(), /No response of this id/)
      assert.equal(stage.upstream.seen.length, 0)
    })
  }

  for (const path of ['/v1/responses', '/v1/realtime', '/v1/chat/completions']) {
    test(`an upgrade at ${path} is answered with 426`, async () => {
      const text = `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: a\r\nsec-websocket-version: 13\r\nauthorization: Bearer ${clientKey}\r\n\r\n`
      assert.match(await exchange(stage.url, text), /^HTTP\/1.1 426 /)
    })
  }

  describe('a credential', () => {
    const body = { model: 'claude-1', max_tokens: 5, ...chat }
    const gemini = '/v1beta/models/gem-1:generateContent'
    for (const [path, headers] of [
      ['/v1/messages', { authorization: `Bearer ${clientKey}` }],
      ['/v1/messages', { 'x-api-key': clientKey }],
      ['/v1/messages', { 'api-key': clientKey }],
      ['/v1/messages', { 'x-goog-api-key': clientKey }],
      [`/v1/messages?key=${clientKey}`, {}],
      [`/v1/messages?beta=true&key=${clientKey}`, {}],
      [`/v1/messages?k%65y=${encodeURIComponent(clientKey)}&beta=true`, {}],
      ['/v1/messages', { authorization: `Bearer ${clientKey}`, 'x-api-key': clientKey }],
      [`/v1/messages?key=${clientKey}`, { 'x-goog-api-key': clientKey, 'api-key': clientKey }],
      ['/v1/messages', { 'x-api-key': clientKey, 'x-goog-api-key': 'not-of-ours' }],
      [`${gemini}?key=${clientKey}`, {}],
      [`${gemini}?key=${clientKey}&alt=json`, {}],
    ] as [string, Record<string, string>][]) {
      const places = [...Object.keys(headers), ...(/k(e|%65)y=/.test(path) ? ['the query'] : [])]
      test(`in ${places.join(' and ')} opens ${path.replace(clientKey, 'KEY')}, and stays here`, async () => {
        const sent = path.startsWith(gemini) ? { contents: [] } : body
        const response = await send(path, sent, headers)
        assert.equal(response.status, 200, await response.clone().text())
        const [seen] = stage.upstream.seen
        assert.ok(!JSON.stringify([seen!.url, seen!.rawHeaders]).includes(clientKey))
        assert.ok(!JSON.stringify(seen!.rawHeaders).includes('not-of-ours'))
        assert.ok(JSON.stringify(seen!.rawHeaders).includes(vaultedKey))
        const query = path.includes('beta=true')
          ? '?beta=true'
          : path.includes('alt')
            ? '?alt=json'
            : ''
        assert.equal(new URL(seen!.url, 'http://x').search, query)
      })
    }

    for (const [path, headers] of [
      ['/v1/messages', { authorization: `Bearer ${clientKey}`, 'x-api-key': 'trd_other' }],
      ['/v1/messages', { authorization: `Bearer ${clientKey}`, 'x-api-key': 'sk-other' }],
      ['/v1/messages', { 'x-api-key': clientKey, 'x-goog-api-key': 'trd_other' }],
      ['/v1/chat/completions', { authorization: `Bearer ${clientKey}`, 'api-key': 'sk-other' }],
      [`/v1/messages?key=trd_other`, { 'x-api-key': clientKey }],
      [`/v1/messages?key=${clientKey}&key=trd_other`, {}],
      [`${gemini}?key=other`, { 'x-goog-api-key': clientKey }],
    ] as [string, Record<string, string>][]) {
      test(`and another one (${Object.keys(headers)}) at ${path.replace(clientKey, 'KEY')} is refused with 400`, async () => {
        const response = await send(path, body, headers)
        assert.equal(response.status, 400)
        const text = await response.text()
        assert.match(text, /Two different credentials/)
        assert.ok(!/trd_|sk-other/.test(text))
        assert.equal(stage.upstream.seen.length, 0)
      })
    }

    test("that is a role's opens the public port for the organisation it names", async () => {
      const token = await stage.deps.tokenFor(serviceClaims('threads'))
      const asRole = { authorization: `Bearer ${token}` }
      assert.equal((await send('/v1/messages', body, asRole)).status, 401)
      const headers = { ...asRole, 'x-treadle-org': 'default' }
      assert.equal((await send('/v1/messages', body, headers)).status, 200)
      assert.ok(!JSON.stringify(stage.upstream.seen[0]!.rawHeaders).includes('x-treadle-org'))
    })
  })

  describe('a packed body', () => {
    const body = { model: 'claude-1', max_tokens: 5, ...chat }
    const text = Buffer.from(JSON.stringify(body))
    for (const [encoding, packed] of [
      ['gzip', gzipSync(text)],
      ['x-gzip', gzipSync(text)],
      ['deflate', deflateSync(text)],
      ['br', brotliCompressSync(text)],
      ['zstd', zstdCompressSync(text)],
      ['GZIP', gzipSync(text)],
      ['identity', text],
    ] as const) {
      test(`as ${encoding} is looked into, and goes on as it came`, async () => {
        const response = await send('/v1/messages', packed, {
          ...bearer,
          'content-encoding': encoding,
        })
        assert.equal(response.status, 200, await response.clone().text())
        assert.deepEqual(stage.upstream.seen[0]!.body, packed)
        assert.equal(stage.upstream.seen[0]!.headers['content-encoding'], encoding)
      })
    }
    const bomb = Buffer.alloc(64 * 1024 * 1024, 0x20)
    for (const [title, encoding, packed, status] of [
      ['a model that nobody serves', 'gzip', gzipSync('{"model":"other"}'), 403],
      ['two models', 'gzip', gzipSync('{"model":"claude-1","model":"x"}'), 400],
      ['64 MiB of nothing', 'gzip', gzipSync(bomb), 413],
      ['64 MiB of nothing', 'zstd', zstdCompressSync(bomb), 413],
      ['64 MiB of nothing', 'br', brotliCompressSync(bomb), 413],
      ['an unknown packing', 'lzma', text, 415],
      ['one packing inside another', 'gzip, br', text, 415],
      ['a packing that it has not', 'br', text, 400],
      ['its end cut off', 'gzip', gzipSync(text).subarray(0, -9), 400],
    ] as const) {
      test(`as ${encoding} with ${title} is refused with ${status}`, async () => {
        const headers = { ...bearer, 'content-encoding': encoding }
        const response = await send('/v1/messages', packed, headers)
        assert.equal(response.status, status)
        assert.equal(stage.upstream.seen.length, 0)
      })
    }
  })

  test('no credential of a query is kept anywhere', async () => {
    const key = 'trd_query-canary-55'
    const response = await send(`/v1/messages?key=${key}`, { model: 'claude-1', ...chat }, {})
    assert.equal(response.status, 401)
    assert.ok(!(await response.text()).includes(key))
    await until(() => logged.includes('credential/refused'))
    assert.ok(!logged.includes(key))
  })
})
