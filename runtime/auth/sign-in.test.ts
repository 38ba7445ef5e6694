import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { cookieOf, type FrontDoor, startFrontDoor } from '../testing/front-door.ts'
import type { Me } from './api.ts'

const json = async <T>(response: Response | Promise<Response>) =>
  (await (await response).json()) as T
const formHeaders = { 'content-type': 'application/x-www-form-urlencoded' }

describe('who signs in, from where, and to which page', () => {
  const owned = new AsyncDisposableStack()
  let door: FrontDoor
  let owner: { key: string }

  before(async () => {
    door = owned.use(await startFrontDoor())
    owner = { key: door.ownerToken }
  })
  after(() => owned.disposeAsync())

  const me = (who: { cookie?: string; key?: string }) => json<Me>(door.call('GET', '/api/me', who))

  describe('a session of this machine', () => {
    const channelOf = async (cookie: string, headers: Record<string, string> = {}) =>
      (await json<Me>(door.call('GET', '/api/me', { headers: { cookie, ...headers } }))).channel

    test('comes of a link by the owner token, used without anything in between', async () => {
      const made = await json<{ url: string }>(door.call('POST', '/api/login-links', owner))
      const code = new URL(made.url).searchParams.get('code')!
      const response = await door.call('POST', '/auth/sign-in', {
        body: `code=${code}`,
        headers: formHeaders,
      })
      assert.equal(await channelOf(cookieOf(response)), 'owner-session')
    })

    for (const [title, headers] of Object.entries({
      'x-forwarded-for': { 'x-forwarded-for': '127.0.0.1' },
      forwarded: { forwarded: 'for=127.0.0.1' },
      via: { via: '1.1 proxy' },
      'x-real-ip': { 'x-real-ip': '127.0.0.1' },
      'a vendor’s own header': { 'cf-connecting-ip': '127.0.0.1' },
    })) {
      test(`is none when signed in through a proxy that says ${title}`, async () => {
        const cookie = cookieOf(await door.signInWith(headers as Record<string, string>))
        assert.equal(await channelOf(cookie), 'session')
        assert.equal((await me({ cookie })).isLocalOwner, false)
      })
      test(`is none for the request that a proxy brings with ${title}`, async () => {
        const cookie = await door.signIn()
        assert.equal(await channelOf(cookie, headers as Record<string, string>), 'session')
        assert.equal(await channelOf(cookie), 'owner-session')
      })
    }

    test('is none by the public name', async () => {
      const cookie = await door.signIn()
      const answer = await door.raw([
        'GET /api/me HTTP/1.1',
        'host: treadle.example.org',
        `cookie: ${cookie}`,
      ])
      assert.match(answer, /"channel":"session".*"isLocalOwner":false/)
    })

    test('hands no more on than a session: a link it makes is not of this machine', async () => {
      const cookie = await door.signIn()
      const made = await json<{ url: string }>(door.call('POST', '/api/login-links', { cookie }))
      const code = new URL(made.url).searchParams.get('code')!
      const response = await door.call('POST', '/auth/sign-in', {
        body: `code=${code}`,
        headers: formHeaders,
      })
      assert.equal(await channelOf(cookieOf(response)), 'session')
    })
  })

  describe('signing in', () => {
    test('leads to the page that was wanted', async () => {
      const path = '/loops/a-b?tab=gates&q=a%20b'
      const { url } = await door.createLoginLink()
      const page = await (await door.call('GET', `${url}&next=${encodeURIComponent(path)}`)).text()
      assert.match(page, /name="next" value="\/loops\/a-b\?tab=gates&#38;q=a%20b"/)
      const response = await door.signInWith({}, { next: path })
      assert.equal(response.headers.get('location'), path)
    })

    test('takes a whole link as well, as it is pasted', async () => {
      const { url } = await door.createLoginLink()
      const body = new URLSearchParams({ code: ` ${url}\n`, next: '/usage' }).toString()
      const response = await door.call('POST', '/auth/sign-in', { body, headers: formHeaders })
      assert.deepEqual([response.status, response.headers.get('location')], [303, '/usage'])
    })

    for (const next of [
      '//evil.example',
      '///evil.example',
      '/\\evil.example',
      '\\\\evil.example',
      '/\t/evil.example',
      '/%2f/evil.example',
      '/%2Fevil.example',
      '/%5cevil.example',
      '/..//evil.example',
      '/./evil',
      'https://evil.example/',
      'https:evil.example',
      'javascript:alert(1)',
      ' /loops',
      'loops',
      '',
      '/loops\r\nset-cookie: a=b',
      '/auth/sign-out',
      '/api/keys',
      `/${'x'.repeat(3_000)}`,
    ]) {
      test(`never leads to ${JSON.stringify(next).slice(0, 40)}`, async () => {
        const response = await door.signInWith({}, { next })
        assert.equal(response.status, 303)
        assert.equal(response.headers.get('location'), '/')
        assert.equal(response.headers.getSetCookie().length, 1)
        const page = await door.call('GET', `/auth/sign-in?code=a&next=${encodeURIComponent(next)}`)
        assert.match(await page.text(), /name="next" value="\/"/)
      })
    }

    test('takes no session over that somebody planted, and ends it', async () => {
      const planted = await door.signIn()
      const response = await door.signInWith({ cookie: planted })
      const own = cookieOf(response)
      assert.notEqual(own, planted)
      assert.equal((await door.call('GET', '/api/me', { cookie: planted })).status, 401)
      const invented = `treadle_session=${'a'.repeat(43)}`
      assert.notEqual(cookieOf(await door.signInWith({ cookie: invented })), invented)
      assert.equal((await door.call('GET', '/api/me', { cookie: invented })).status, 401)
    })
  })
})
