import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { type EchoPeer, startEchoPeer } from '../testing/echo-peer.ts'
import { type FrontDoor, startFrontDoor } from '../testing/front-door.ts'

const json = async <T>(response: Response | Promise<Response>) =>
  (await (await response).json()) as T
const codeOf = async (response: Response) => (await json<{ code: string }>(response)).code
const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1])
const formHeaders = { 'content-type': 'application/x-www-form-urlencoded' }

describe('a browser that somebody else leads', () => {
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

  const newCode = async () => new URL((await door.createLoginLink()).url).searchParams.get('code')!
  const useCode = (code: string) =>
    door.call('POST', '/auth/sign-in', { body: `code=${code}`, headers: formHeaders })

  describe('DNS rebinding: a name that is not ours', () => {
    const port = () => door.url.port
    const others: Record<string, () => string[]> = {
      'another name': () => [`host: evil.example:${port()}`],
      'our name with another port': () => ['host: 127.0.0.1:1'],
      'our name without a port': () => ['host: 127.0.0.1'],
      'a name that begins like ours': () => [`host: 127.0.0.1.evil.example:${port()}`],
      'user and password before it': () => [`host: x@127.0.0.1:${port()}`],
      'an empty name': () => ['host:'],
      'two names': () => [host, 'host: evil.example'],
    }
    for (const [title, lines] of Object.entries(others)) {
      test(`${title} is refused, with the owner token too`, async () => {
        const answer = await door.raw(['GET /api/me HTTP/1.1', ...lines(), bearer])
        assert.ok([400, 421].includes(statusOf(answer)), answer)
        assert.doesNotMatch(answer, /"user"/)
      })
    }
    test('our own names are heard, and the public one', async () => {
      for (const name of [
        `127.0.0.1:${port()}`,
        `localhost:${port()}`,
        `LOCALHOST:${port()}`,
        `[::1]:${port()}`,
        'treadle.example.org',
      ]) {
        const answer = await door.raw(['GET /api/me HTTP/1.1', `host: ${name}`, bearer])
        assert.equal(statusOf(answer), 200, name)
      }
    })
    test('a WebSocket by another name is refused', async () => {
      const answer = await door.raw([
        'GET /api/sandboxes/a/terminal HTTP/1.1',
        'host: evil.example',
        'upgrade: websocket',
        'connection: upgrade',
        bearer,
      ])
      assert.equal(statusOf(answer), 421)
    })
  })

  describe('CSRF: a change asked for by a page of another origin', () => {
    const origins = {
      'another site': 'https://evil.example',
      'another port of this machine': 'http://127.0.0.1:1',
      'another scheme': 'https://127.0.0.1',
      'a page without origin': 'null',
      'a name of ours, but not the one it asked': 'http://localhost',
    }
    for (const [title, given] of Object.entries(origins)) {
      test(`${title} is refused, and nothing is changed`, async () => {
        const cookie = await door.signIn()
        const origin = /localhost|https:\/\/127/.test(given) ? `${given}:${door.url.port}` : given
        const options = { cookie, headers: { origin }, json: { name: 'x' } }
        const response = await door.call('POST', '/api/keys', options)
        assert.equal(response.status, 403)
        assert.equal(await codeOf(response), 'auth/origin')
        assert.equal((await door.call('DELETE', '/api/loops/l-1', options)).status, 403)
        assert.equal(spool.seen, 0)
      })
    }
    test('a cookie without any origin changes nothing', async () => {
      const cookie = await door.signIn()
      const response = await door.call('POST', '/api/keys', {
        headers: { cookie },
        json: { name: 'x' },
      })
      assert.equal(await codeOf(response), 'auth/origin')
    })
    test('nobody is signed in by a form of another site', async () => {
      const code = await newCode()
      const headers = { ...formHeaders, origin: 'https://evil.example' }
      const response = await door.call('POST', '/auth/sign-in', { body: `code=${code}`, headers })
      assert.equal(response.status, 403)
      assert.equal((await useCode(code)).status, 303)
    })
    test('a terminal opens to no page of another origin', async () => {
      const cookie = await door.signIn()
      for (const origin of ['origin: https://evil.example', 'x-nothing: 1']) {
        const answer = await door.raw([
          'GET /api/sandboxes/a/terminal HTTP/1.1',
          host,
          origin,
          `cookie: ${cookie}`,
          'upgrade: websocket',
          'connection: upgrade',
        ])
        assert.equal(statusOf(answer), 403)
      }
    })
    test('no answer may be read by, or framed in, a page of another origin', async () => {
      const headers = { origin: 'https://evil.example' }
      const response = await door.call('GET', '/api/me', { key: door.ownerToken, headers })
      assert.equal(response.headers.get('access-control-allow-origin'), null)
      assert.match(response.headers.get('content-security-policy')!, /frame-ancestors 'none'/)
      const page = await door.call('GET', '/')
      assert.match(
        page.headers.get('content-security-policy')!,
        /default-src 'none'; style-src 'sha256-/,
      )
      assert.doesNotMatch(page.headers.get('content-security-policy')!, /unsafe/)
    })
  })
})
