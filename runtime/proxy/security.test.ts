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
import { createLookup, isPublicAddress } from './address.ts'
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
} from './stage.ts'

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
      await using line = await startLine(stage, 'sb-1')
      const { testSigner } = await import('../testing/deps.ts')
      const token = await testSigner('weaver')(sandboxClaims(), 'proxy', 2_000)
      assert.equal((await post(line.url, bearer(token))).status, 200)
      await until(async () => (await post(line.url, bearer(token))).status === 401)
    })

    test('a key that auth no longer lists is refused within a second', async () => {
      stage.peers.keys = []
      await until(async () => (await post(stage.url, bearer(clientKey))).status === 401)
      stage.peers.keys = [
        keyCheck(clientKey, { expiresAt: new Date(Date.now() - 1).toISOString() }),
      ]
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

  describe('framing', () => {
    const head = `POST /v1/messages HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${clientKey}\r\n`
    for (const [title, text, status] of [
      [
        'two lengths',
        `${head}content-length: ${body.length}\r\ncontent-length: 1\r\n\r\n${body}`,
        400,
      ],
      [
        'a length and chunks',
        `${head}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
        400,
      ],
      [
        'chunks under another coding',
        `${head}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
        400,
      ],
      [
        'chunks said twice',
        `${head}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
        400,
      ],
      ['a space before the colon', `${head}content-length : 4\r\n\r\n{}{}`, 400],
      ['a bare line feed in a header', `${head}x: a\nhost: evil\r\n\r\n`, 400],
      ['two hosts', `${head}host: y\r\ncontent-length: ${body.length}\r\n\r\n${body}`, 400],
      [
        'HTTP/1.0',
        `${head.replace('1.1', '1.0')}content-length: ${body.length}\r\n\r\n${body}`,
        505,
      ],
      [
        'an absolute target',
        `${head.replace('/v1/messages', 'http://evil/v1/messages')}content-length: 2\r\n\r\n{}`,
        404,
      ],
      [
        'dot segments',
        `${head.replace('/v1/messages', '/x/../v1/messages')}content-length: 2\r\n\r\n{}`,
        404,
      ],
      [
        'an escaped path',
        `${head.replace('/v1/messages', '/v1%2Fmessages')}content-length: 2\r\n\r\n{}`,
        404,
      ],
      [
        'a doubled slash',
        `${head.replace('/v1/messages', '//v1/messages')}content-length: 2\r\n\r\n{}`,
        404,
      ],
    ] as const) {
      test(`${title} is answered with ${status} and never sent on`, async () => {
        assert.match(
          await exchange(stage.url, text, (got) => got.includes('\r\n\r\n')),
          new RegExp(`^HTTP/1.1 ${status} `),
        )
        assert.equal(stage.upstream.seen.length, 0)
      })
    }
  })

  test("headers that are nobody's business stay here, both ways", async () => {
    stage.upstream.state.script = (_request, response) =>
      response
        .writeHead(200, {
          'set-cookie': 'a=b',
          'keep-alive': 'timeout=9',
          connection: 'x-hop',
          'x-hop': '1',
          'x-kept': '1',
        })
        .end('{}')
    const dropped = {
      cookie: 'a=b',
      'x-forwarded-for': '1.2.3.4',
      'x-forwarded-anything': 'x',
      forwarded: 'for=x',
      via: 'x',
      'api-key': 'k',
      'x-goog-api-key': 'k',
      'proxy-authorization': 'k',
      te: 'trailers',
      'x-real-ip': '1',
      'x-named': '1',
      'keep-alive': 'x',
    }
    const lines = Object.entries(dropped)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('')
    const head = `POST /v1/messages HTTP/1.1\r\nhost: evil.example\r\nauthorization: Bearer ${clientKey}\r\nconnection: x-named, close\r\nx-kept: 1\r\n`
    const got = await exchange(
      stage.url,
      `${head}${lines}content-length: ${body.length}\r\n\r\n${body}`,
    )
    const [seen] = stage.upstream.seen
    for (const name of [...Object.keys(dropped), 'authorization'])
      assert.equal(seen!.headers[name], undefined, name)
    assert.equal(seen!.headers['x-kept'], '1')
    assert.equal(seen!.headers.host, stage.upstream.url.host)
    assert.equal(seen!.rawHeaders.filter((name) => name.toLowerCase() === 'x-api-key').length, 1)
    assert.match(got, /x-kept: 1/)
    assert.doesNotMatch(got, /set-cookie|x-hop|timeout=9/i)
  })

  describe('an address', () => {
    for (const [address, isPublic] of [
      ['8.8.8.8', true],
      ['160.79.104.10', true],
      ['2606:4700::1111', true],
      ['127.0.0.1', false],
      ['10.1.2.3', false],
      ['172.16.0.1', false],
      ['172.32.0.1', true],
      ['192.168.1.1', false],
      ['169.254.169.254', false],
      ['100.64.0.1', false],
      ['0.0.0.0', false],
      ['224.0.0.1', false],
      ['255.255.255.255', false],
      ['198.18.0.1', false],
      ['192.0.0.8', false],
      ['::', false],
      ['::1', false],
      ['::ffff:127.0.0.1', false],
      ['::ffff:8.8.8.8', false],
      ['fe80::1', false],
      ['fe80::1%eth0', false],
      ['fc00::1', false],
      ['fd00:ec2::254', false],
      ['64:ff9b::7f00:1', false],
      ['2002:7f00:1::', false],
      ['2001:db8::1', false],
      ['2001::1', false],
      ['ff02::1', false],
      ['3fff::1', false],
    ] as const) {
      test(`${address} is ${isPublic ? '' : 'not '}public`, () =>
        assert.equal(isPublicAddress(address), isPublic))
    }

    for (const baseUrl of [
      'https://127.0.0.1',
      'https://[::1]',
      'https://0x7f.1',
      'https://2130706433',
      'https://169.254.169.254',
      'https://[::ffff:10.0.0.1]',
      'http://example.com',
      'https://user:pass@example.com',
      'https://example.com/?a=b',
    ]) {
      test(`the base URL ${baseUrl} is refused when it is added`, async () => {
        const response = await stage.admin('POST', '/api/providers', {
          name: 'bad',
          kind: 'openai',
          key: 'k',
          baseUrl,
        })
        assert.equal(response.status, 400)
        assert.equal(((await response.json()) as { code: string }).code, 'provider/address')
      })
    }

    test('a name that leads to a private address is refused when connecting', async () => {
      await stage.addProvider({
        name: 'local',
        baseUrl: 'https://localhost:1',
        allowPrivate: false,
        models: ['m-local'],
      })
      const response = await fetch(new URL('/v1/messages', stage.url), {
        method: 'POST',
        headers: bearer(clientKey),
        body: '{"model":"m-local"}',
      })
      assert.equal(response.status, 502)
      assert.match(await response.text(), /address is not allowed/)
    })

    test('the address that was checked is the one that is connected to', async () => {
      const lists = [[{ address: '8.8.8.8', family: 4 }], [{ address: '127.0.0.1', family: 4 }]]
      const lookup = createLookup(false, async () => lists.shift()!)
      const ask = () =>
        new Promise<unknown>((resolve) =>
          lookup('rebind.example', { all: true }, (error, found) => resolve(error ?? found)),
        )
      assert.deepEqual(await ask(), [{ address: '8.8.8.8', family: 4 }])
      assert.ok((await ask()) instanceof Error)
    })

    test('one private address among public ones refuses the name', async () => {
      const lookup = createLookup(false, async () => [
        { address: '8.8.8.8', family: 4 },
        { address: '10.0.0.1', family: 4 },
      ])
      assert.ok((await new Promise((resolve) => lookup('x', {}, resolve))) instanceof Error)
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
    stage.upstream.sockets.forEach((socket) => socket.destroy())
    stage.upstream.state.script = (_request, response) => response.destroy()
    await post(stage.url, bearer(clientKey))
    const answers = await Promise.all(
      [
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
