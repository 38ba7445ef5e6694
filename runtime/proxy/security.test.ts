import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { after, before, beforeEach, describe, test } from 'node:test'
import { createLog } from '#kernel/log.ts'
import type { RoleName } from '#kernel/tokens.ts'
import { serviceClaims, userClaims } from '../testing/deps.ts'
import { startPostgres, type TestPostgres } from '../testing/postgres.ts'
import { readMasterKey } from './providers.ts'
import {
  clientKey,
  exchange,
  keyCheck,
  type Stage,
  sandboxClaims,
  startLine,
  startStage,
  until,
  vaultedKey,
} from './testing/stage.ts'

const body = JSON.stringify({ model: 'm-1', messages: [] })

describe('the proxy refuses', () => {
  const owned = new AsyncDisposableStack()
  let postgres: TestPostgres
  let stage: Stage
  let logged = ''
  before(async () => {
    postgres = owned.use(await startPostgres())
    const sink = new Writable({
      write(chunk, _encoding, done) {
        logged += chunk
        done()
      },
    })
    stage = owned.use(await startStage({ postgres, log: createLog('trace', sink) }))
    await stage.addProvider()
  })
  after(() => owned.disposeAsync())
  beforeEach(() => {
    stage.upstream.seen.length = 0
    stage.upstream.state.script = (_request, response) => response.end('{}')
  })

  const post = (url: URL, headers: Record<string, string>) =>
    fetch(new URL('/v1/messages', url), { method: 'POST', headers, body })
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

  describe('credentials', () => {
    test('a sandbox token is good on its own line alone', async () => {
      await using own = await startLine(stage, 'sb-1')
      await using other = await startLine(stage, 'sb-2')
      const token = await stage.deps.tokenFor(sandboxClaims())
      assert.equal((await post(own.url, bearer(token))).status, 200)
      assert.equal((await post(own.url, { 'x-api-key': token })).status, 200)
      for (const url of [other.url, stage.url])
        assert.equal((await post(url, bearer(token))).status, 401)
      assert.equal((await post(own.url, bearer(token))).status, 200)
    })

    test('of tokens a role’s alone opens the public port, whatever is said beside it', async () => {
      const said = { 'x-treadle-org': 'default' }
      for (const [claims, status] of [
        [sandboxClaims(), 401],
        [userClaims(), 401],
        [serviceClaims('spool'), 200],
      ] as const) {
        const token = await stage.deps.tokenFor(claims)
        assert.equal((await post(stage.url, { ...bearer(token), ...said })).status, status)
      }
      const nobodys = await stage.deps.tokenFor(serviceClaims('spool'))
      assert.equal((await post(stage.url, bearer(nobodys))).status, 401)
    })

    test('an API key is worth nothing on a line', async () => {
      await using line = await startLine(stage, 'sb-1')
      assert.equal((await post(line.url, bearer(clientKey))).status, 401)
    })

    for (const [title, make] of [
      ['of another audience', () => stage.deps.tokenFor(sandboxClaims(), 'threads' as RoleName)],
      ['of a person', () => stage.deps.tokenFor(userClaims({ sub: 'sb-1' }))],
      ['of a role', () => stage.deps.tokenFor(serviceClaims('weaver'))],
      ['signed by a role that may not', () => stage.deps.sign(sandboxClaims(), 'proxy', 60_000)],
      ['that is over', async () => expired(stage)],
      ['that is none', async () => 'x.y.z'],
    ] as const) {
      test(`a token ${title} is refused on a line`, async () => {
        await using line = await startLine(stage, 'sb-1')
        assert.equal((await post(line.url, bearer(await make()))).status, 401)
        assert.equal(stage.upstream.seen.length, 0)
      })
    }

    test('a token that was good is refused once it is over, also from the cache', async () => {
      await using line = await startLine(stage, 'sb-brief')
      const { testSigner } = await import('../testing/deps.ts')
      const token = await testSigner('weaver')(sandboxClaims({ sub: 'sb-brief' }), 'proxy', 2_000)
      assert.equal((await post(line.url, bearer(token))).status, 200)
      await until(async () => (await post(line.url, bearer(token))).status === 401)
    })

    test('a key that auth no longer lists is refused within a second', async () => {
      stage.peers.keys = []
      await until(async () => (await post(stage.url, bearer(clientKey))).status === 401)
      const other = 'trd_other-key' // Once it is good, so is the list that it came with.
      const expiresAt = new Date(Date.now() - 1).toISOString()
      stage.peers.keys = [keyCheck(clientKey, { expiresAt }), keyCheck(other, { id: 'key-2' })]
      await until(async () => (await post(stage.url, bearer(other))).status === 200)
      assert.equal((await post(stage.url, bearer(clientKey))).status, 401)
      stage.peers.keys = [keyCheck(clientKey)]
      await until(async () => (await post(stage.url, bearer(clientKey))).status === 200)
    })

    test('two different credentials are refused, the same one twice is not', async () => {
      assert.equal(
        (await post(stage.url, { ...bearer(clientKey), 'x-api-key': 'trd_other' })).status,
        400,
      )
      assert.equal(
        (await post(stage.url, { ...bearer(clientKey), 'x-api-key': clientKey })).status,
        200,
      )
    })

    test('the second of two authorization headers is not overlooked', async () => {
      const head = `POST /v1/messages HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: ${body.length}\r\n`
      const text = `${head}authorization: Bearer ${clientKey}\r\nauthorization: Bearer trd_other\r\n\r\n${body}`
      assert.match(await exchange(stage.url, text), /^HTTP\/1.1 400 /)
    })

    test('no credential is 401 on every route but HEAD /', async () => {
      assert.equal((await post(stage.url, {})).status, 401)
      assert.equal((await fetch(new URL('/v1/models', stage.url))).status, 401)
      assert.equal((await fetch(stage.url, { method: 'HEAD' })).status, 200)
    })
  })

  describe('a line', () => {
    for (const [title, text] of [
      ['without a preamble', 'GET /v1/models HTTP/1.1\r\n\r\n'],
      ['of another version', 'TREADLE-LINE 2 sb-1\n'],
      ['with a path for a name', 'TREADLE-LINE 1 ../sb-1\n'],
      ['with an endless preamble', `TREADLE-LINE 1 ${'a'.repeat(200)}`],
    ] as const) {
      test(`${title} is closed without an answer`, async () => {
        const socket = connect(stage.config.lineSocket)
        let got = ''
        socket.on('data', (chunk) => {
          got += chunk
        })
        socket.on('error', () => {})
        socket.write(text)
        await new Promise((resolve) => socket.once('close', resolve))
        assert.equal(got, '')
      })
    }

    test('takes its preamble in pieces, and a request right behind it', async () => {
      const token = await stage.deps.tokenFor(sandboxClaims())
      const request = `POST /v1/messages HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`
      for (const parts of [
        [`TREADLE-LINE 1 sb-1\n${request}`],
        ['TREADLE', '-LINE 1 sb-1', '\nPOST', request.slice(4)],
      ]) {
        const socket = connect(stage.config.lineSocket)
        const closed = once(socket, 'close')
        let got = ''
        socket.setEncoding('latin1').on('data', (chunk) => {
          got += chunk
        })
        for (const part of parts) {
          socket.write(part)
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
        await closed
        assert.match(got, /^HTTP\/1.1 200 /)
      }
    })

    test("its socket is its owner's alone", () => {
      assert.equal(statSync(stage.config.lineSocket).mode & 0o777, 0o600)
    })
  })

  test('a master key that others can read stops the start', () => {
    const path = join(stage.scratch, 'loose-key')
    writeFileSync(path, Buffer.alloc(32))
    for (const mode of [0o640, 0o604, 0o644]) {
      chmodSync(path, mode)
      assert.throws(() => readMasterKey(path), /readable by others/)
    }
    chmodSync(path, 0o600)
    assert.equal(readMasterKey(path).length, 32)
  })

  test("other callers get nothing from the role's own routes", async () => {
    const token = await stage.deps.tokenFor(sandboxClaims())
    const asSandbox = await fetch(new URL('/api/providers', stage.adminUrl), {
      headers: bearer(token),
    })
    assert.equal(asSandbox.status, 403)
    assert.equal((await stage.admin('GET', '/internal/sandboxes/sb-1/record')).status, 403)
    assert.equal(
      (
        await stage.admin(
          'GET',
          '/internal/sandboxes/sb-1/record',
          undefined,
          serviceClaims('threads'),
        )
      ).status,
      403,
    )
    assert.equal((await fetch(new URL('/api/providers', stage.adminUrl))).status, 401)
  })

  test('a refused provider does not repeat its key', async () => {
    const response = await stage.admin('POST', '/api/providers', {
      name: 'Bad Name',
      kind: 'x',
      key: 'sk canary with spaces',
    })
    assert.equal(response.status, 400)
    assert.doesNotMatch(await response.text(), /canary/)
  })

  test('no credential stands in any answer, log line, file or table', async () => {
    stage.upstream.state.script = (_request, response) =>
      response
        .writeHead(401, { 'content-type': 'application/json' })
        .end(JSON.stringify({ error: { message: `wrong key ${vaultedKey}` } }))
    await post(stage.url, bearer(clientKey))
    for (const socket of stage.upstream.sockets) socket.destroy()
    stage.upstream.state.script = (_request, response) => response.destroy()
    await post(stage.url, bearer(clientKey))
    await stage.addProvider({ name: 'google', kind: 'gemini', models: ['gem'] })
    const geminiPath = '/v1beta/models/gem:generateContent'
    for (const query of ['', `?key=${clientKey}`]) {
      const headers = { 'x-goog-api-key': clientKey }
      const url = new URL(geminiPath + query, stage.url)
      await fetch(url, { method: 'POST', headers, body: '{}' }).catch(() => {}) // It is cut or refused.
    }
    const answers = await Promise.all(
      [
        ['POST', '/api/providers/google/test'],
        ['GET', '/api/calls'],
        ['GET', '/api/providers'],
        ['POST', '/api/providers/vendor/test'],
        ['GET', '/api/usage'],
      ].map(async ([method, path]) => (await stage.admin(method!, path!)).text()),
    )
    const tables = await Promise.all(
      ['calls', 'providers'].map((table) =>
        postgres.query(
          `select t::text, encode(convert_to(t::text, 'utf8'), 'hex') as hex from proxy.${table} t`,
        ),
      ),
    )
    const files = readdirSync(stage.deps.folder).map((file) =>
      readFileSync(join(stage.deps.folder, file), 'latin1'),
    )
    const everything = [logged, ...answers, JSON.stringify(tables), ...files].join('\n')
    assert.match(everything, /wrong key \[redacted\]/) // The search looks where the canary would be.
    for (const secret of [vaultedKey, clientKey]) {
      for (const form of [
        secret,
        Buffer.from(secret).toString('base64').replace(/=+$/, ''),
        Buffer.from(secret).toString('hex'),
      ]) {
        assert.ok(!everything.includes(form), form)
      }
    }
  })
})

async function expired(stage: Stage): Promise<string> {
  const { testSigner } = await import('../testing/deps.ts')
  return testSigner('weaver')(sandboxClaims({ loop: stage.url.port }), 'proxy', -10_000)
}
