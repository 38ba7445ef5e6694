import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { tokenFor, userClaims } from '../testing/deps.ts'
import { type Echo, type EchoPeer, startEchoPeer } from '../testing/echo-peer.ts'
import { type FrontDoor, startFrontDoor } from '../testing/front-door.ts'

const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1])

describe('requests that mean another thing to the next hop', () => {
  const owned = new AsyncDisposableStack()
  let door: FrontDoor
  let spool: EchoPeer
  let host: string
  let bearer: string

  before(async () => {
    door = owned.use(await startFrontDoor())
    spool = owned.use(await startEchoPeer('spool'))
    door.urls.set('spool', spool.url)
    host = `host: ${door.url.host}`
    bearer = `authorization: Bearer ${door.ownerToken}`
  })
  after(() => owned.disposeAsync())
  beforeEach(() => {
    spool.seen = 0
  })

  describe('paths that mean another path to somebody', () => {
    const paths = [
      '/api/loops/../../internal/keys',
      '/api/loops/%2e%2e/%2e%2e/internal/keys',
      '/api/loops/.%2E/x',
      '/api/loops/..%2finternal',
      '/api/loops/%2Finternal',
      '/api/loops/..%5cinternal',
      '/api/loops/..\\internal',
      '/api/loops/%252e%252e/internal',
      '/api//loops',
      '//internal/keys',
      '//evil.example/api/loops',
      '/api/loops/./x',
      '/api/loops/a%00b',
      '/api/loops/a%0d%0ab',
      '/api/loops/%zz',
      '/api/loops/é',
      'http://evil.example/api/loops',
      'http://127.0.0.1/internal/keys',
      '*',
    ]
    for (const path of paths) {
      test(`${path} is refused`, async () => {
        const answer = await door.raw([`GET ${path} HTTP/1.1`, host, bearer])
        assert.equal(statusOf(answer), 400, answer)
        assert.equal(spool.seen, 0)
      })
    }
    test('a plain path with dots inside names is none of them', async () => {
      for (const path of ['/api/loops/v1.2', '/api/loops/...', '/api/loops/a%20b', '/api/loops/']) {
        const answer = await door.raw([`GET ${path} HTTP/1.1`, host, bearer])
        assert.equal(statusOf(answer), 200, path)
      }
    })
    test('internal routes are closed to people, whoever they are', async () => {
      const cookie = await door.signIn()
      for (const who of [{ key: door.ownerToken }, { cookie }, {}]) {
        assert.equal((await door.call('GET', '/internal/keys', who)).status, 401)
        assert.equal((await door.call('GET', '/INTERNAL/keys', who)).status, 404)
      }
    })
  })

  describe('headers that speak for somebody', () => {
    const echoed = async (lines: string[]) => {
      const answer = await door.raw(['GET /api/loops HTTP/1.1', host, bearer, ...lines])
      assert.equal(statusOf(answer), 200, answer)
      return JSON.parse(/\{.*\}/s.exec(answer)![0]) as Echo
    }
    test('a second authorization is not passed on', async () => {
      const forged = await tokenFor(userClaims({ org: 'south' }), 'spool')
      const { claims } = await echoed([`authorization: Bearer ${forged}`])
      assert.equal(claims?.kind === 'user' && claims.org, 'default')
    })
    test('Connection can name none of our headers away', async () => {
      const { claims, headers } = await echoed([
        'connection: authorization, host, x-secret',
        'x-secret: 1',
        'cookie: a=b',
        'proxy-authorization: Basic eDp5',
        'x-forwarded-for: 10.0.0.1',
        'forwarded: for=10.0.0.1',
        'te: trailers',
      ])
      assert.equal(claims?.sub, 'owner')
      const names = Object.keys(headers).sort()
      assert.deepEqual(names, ['authorization', 'connection', 'host', 'x-request-id'])
    })
    test('an Expect is answered here, and not passed on', async () => {
      const lines = [
        'POST /api/loops HTTP/1.1',
        host,
        bearer,
        'expect: 100-continue',
        'content-length: 2',
      ]
      const answer = await door.raw(lines, '{}')
      assert.match(answer, /^HTTP\/1\.1 100 Continue/)
      const echo = JSON.parse(/\{.*\}/s.exec(answer)![0]) as Echo
      assert.equal(echo.headers.expect, undefined)
      assert.equal(echo.body, '{}')
    })
    test('a request cannot hide in the body of another', async () => {
      const hidden = 'GET /internal/hidden HTTP/1.1\r\nhost: x\r\n\r\n'
      const chunk = `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`
      const smuggles: [string, string[]][] = [
        ['DELETE', ['transfer-encoding: chunked']],
        ['GET', ['transfer-encoding: chunked']],
        ['POST', ['transfer-encoding: gzip, chunked']],
        ['POST', ['transfer-encoding: chunked', 'content-length: 4']],
        ['POST', ['content-length: 4', 'content-length: 5']],
      ]
      for (const [method, lines] of smuggles) {
        const answer = await door.raw(
          [`${method} /api/loops HTTP/1.1`, host, bearer, ...lines],
          chunk,
        )
        assert.equal(statusOf(answer), 400, `${method} ${lines}`)
      }
      assert.equal(spool.seen, 0)
    })
    test('a body in chunks is passed on whole', async () => {
      const lines = ['POST /api/loops HTTP/1.1', host, bearer, 'transfer-encoding: chunked']
      const answer = await door.raw(lines, '5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n')
      assert.match(answer, /"body":"hello world"/)
    })
    test('a method that nobody speaks is refused', async () => {
      const answer = await door.raw(['TRACE /api/loops HTTP/1.1', host, bearer])
      assert.equal(statusOf(answer), 405)
    })
  })
})
