import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import type { Claims } from '#kernel/tokens.ts'
import { serviceClaims, tokenFor, userClaims } from '../testing/deps.ts'
import { type Echo, type EchoPeer, startEchoPeer } from '../testing/echo-peer.ts'
import { type FrontDoor, startFrontDoor } from '../testing/front-door.ts'
import type { MadeKey } from './api.ts'

const json = async <T>(response: Response | Promise<Response>) =>
  (await (await response).json()) as T
const formHeaders = { 'content-type': 'application/x-www-form-urlencoded' }

describe('credentials', () => {
  const owned = new AsyncDisposableStack()
  let door: FrontDoor
  let spool: EchoPeer

  before(async () => {
    door = owned.use(await startFrontDoor())
    spool = owned.use(await startEchoPeer('spool'))
    door.urls.set('spool', spool.url)
  })
  after(() => owned.disposeAsync())
  beforeEach(() => {
    spool.seen = 0
  })

  const newCode = async () => new URL((await door.createLoginLink()).url).searchParams.get('code')!
  const useCode = (code: string) =>
    door.call('POST', '/auth/sign-in', { body: `code=${code}`, headers: formHeaders })

  describe('sign-in links', () => {
    test('a prefetch, a HEAD and fifty openings use nothing up; the button does', async () => {
      const code = await newCode()
      const path = `/auth/sign-in?code=${code}`
      await door.call('HEAD', path)
      await door.call('GET', path, { headers: { 'sec-purpose': 'prefetch' } })
      await Promise.all(Array.from({ length: 50 }, () => door.call('GET', path)))
      const page = await door.call('GET', path)
      assert.deepEqual(page.headers.getSetCookie(), [])
      assert.match(await page.text(), new RegExp(`value="${code}"`))
      assert.equal((await useCode(code)).status, 303)
    })
    test('a used link is over', async () => {
      const code = await newCode()
      await useCode(code)
      const response = await useCode(code)
      assert.equal(response.status, 410)
      assert.deepEqual(response.headers.getSetCookie(), [])
    })
    test('of fifty posts at once one signs in', async () => {
      const code = await newCode()
      const responses = await Promise.all(Array.from({ length: 50 }, () => useCode(code)))
      assert.equal(responses.filter(({ status }) => status === 303).length, 1)
      assert.equal(responses.filter(({ status }) => status === 410).length, 49)
    })
    test('after fifteen minutes a link is over', async () => {
      const code = await newCode()
      door.pass(15 * 60_000)
      assert.equal((await useCode(code)).status, 410)
    })
    test('the database holds no code that could be used', async () => {
      const code = await newCode()
      const rows = await door.postgres.query('select * from auth.login_links')
      assert.doesNotMatch(JSON.stringify(rows), new RegExp(code))
    })
    test('what is no code signs nobody in', async () => {
      for (const body of ['', 'code=', 'code=a&code=b', 'code[x]=1', `code=${'x'.repeat(3_000)}`]) {
        const response = await door.call('POST', '/auth/sign-in', { body, headers: formHeaders })
        assert.equal(response.status, 410, body)
      }
    })
    test('a code from the address bar is escaped in the page', async () => {
      const page = await (await door.call('GET', '/auth/sign-in?code="><script>')).text()
      assert.doesNotMatch(page, /<script>/)
    })
    test('only an owner makes one, and not with a key', async () => {
      const mine = await json<MadeKey>(
        door.call('POST', '/api/keys', { key: door.ownerToken, json: { name: 'x' } }),
      )
      const links = (key: string) => door.call('POST', '/api/login-links', { key })
      assert.equal((await links(door.ownerToken)).status, 201)
      assert.equal((await links(mine.key)).status, 403)
    })
  })

  describe('credentials of the wrong kind', () => {
    const refused: Record<string, () => Promise<string> | string> = {
      'a token of ours for a person, meant for another role': () => tokenFor(userClaims(), 'spool'),
      'a token of ours for a person, meant for auth': () => tokenFor(userClaims(), 'auth'),
      'a token of a role': () => tokenFor(serviceClaims('proxy'), 'auth'),
      'a token of a sandbox': () => tokenFor(sandboxClaims, 'proxy'),
      'an owner token with one character changed': () => `${door.ownerToken.slice(0, -1)}!`,
      'an owner token cut short': () => door.ownerToken.slice(0, 20),
      'a key that nobody made': () => `trd_0123456789ab_${'A'.repeat(43)}`,
      'a word': () => 'hello',
    }
    for (const [title, make] of Object.entries(refused)) {
      test(`${title} opens nothing, and is answered like any other`, async () => {
        const response = await door.call('GET', '/api/me', { key: await make() })
        assert.equal(response.status, 401)
        assert.deepEqual(await response.json(), {
          code: 'auth/refused',
          message: 'This credential is not good.',
        })
      })
    }
    test('a wrong bearer is not made good by a right cookie', async () => {
      const cookie = await door.signIn()
      const headers = { authorization: 'Basic eDp5' }
      assert.equal((await door.call('GET', '/api/me', { cookie, headers })).status, 401)
    })
    test('an internal route opens to its role alone, by a token for auth', async () => {
      const keys = async (claims: Claims, audience: 'auth' | 'spool') =>
        (await door.call('GET', '/internal/keys', { key: await tokenFor(claims, audience) })).status
      assert.equal(await keys(serviceClaims('proxy'), 'auth'), 200)
      assert.equal(await keys(serviceClaims('proxy'), 'spool'), 401)
      assert.equal(await keys(serviceClaims('spool'), 'auth'), 403)
      assert.equal(await keys(userClaims(), 'auth'), 403)
    })
    test('a stolen cookie is worth nothing after its owner signed out', async () => {
      const cookie = await door.signIn()
      await door.call('POST', '/auth/sign-out', { cookie })
      assert.equal((await door.call('GET', '/api/loops', { cookie })).status, 401)
      assert.equal(spool.seen, 0)
    })
    test('a cookie given twice is no session', async () => {
      const cookie = await door.signIn()
      const twice = `${cookie}; treadle_session=${'A'.repeat(43)}`
      assert.equal((await door.call('GET', '/api/me', { cookie: twice })).status, 401)
    })
    test('the database holds no session that could be used', async () => {
      const token = (await door.signIn()).split('=')[1]!
      const rows = await door.postgres.query('select * from auth.sessions')
      assert.doesNotMatch(JSON.stringify(rows), new RegExp(token))
    })
  })

  describe('another organisation', () => {
    let stranger: string
    let member: string
    let removed: string

    before(async () => {
      const query = (text: string, values: unknown[]) => door.postgres.query(text, values)
      await query("insert into auth.organisations (id) values ('south')", [])
      for (const [org, user, role] of [
        ['south', 'zoe', 'owner'],
        ['default', 'mia', 'member'],
        ['default', 'gone', 'member'],
      ]) {
        await query('insert into auth.users (id) values ($1)', [user])
        await query('insert into auth.memberships values ($1, $2, $3)', [org, user, role])
      }
      stranger = await keyOf('south', 'zoe')
      member = await keyOf('default', 'mia')
      removed = await keyOf('default', 'gone')
    })
    const keyOf = async (org: string, user: string) => {
      const made = await json<MadeKey>(
        door.call('POST', '/api/keys', { key: door.ownerToken, json: { name: user } }),
      )
      const statement = 'update auth.keys set org = $1, user_id = $2 where id = $3'
      await door.postgres.query(statement, [org, user, made.id])
      return made.key
    }
    const idOf = (key: string) => key.split('_')[1]!

    test('its owner neither sees nor revokes our keys', async () => {
      const listed = await (await door.call('GET', '/api/keys', { key: stranger })).text()
      assert.match(listed, new RegExp(idOf(stranger)))
      assert.doesNotMatch(listed, new RegExp(idOf(member)))
      const path = `/api/keys/${idOf(member)}`
      assert.equal((await door.call('DELETE', path, { key: stranger })).status, 404)
    })
    test('its people go on under its name', async () => {
      const { claims } = await json<Echo>(door.call('GET', '/api/loops', { key: stranger }))
      assert.equal(claims?.kind === 'user' && claims.org, 'south')
    })
    test('a member sees own keys alone, and revokes no other', async () => {
      const listed = await (await door.call('GET', '/api/keys', { key: member })).text()
      assert.match(listed, new RegExp(idOf(member)))
      assert.doesNotMatch(listed, new RegExp(idOf(removed)))
      const path = `/api/keys/${idOf(removed)}`
      assert.equal((await door.call('DELETE', path, { key: member })).status, 403)
    })
    test('the keys of somebody who left are dead at once, for the proxy too', async () => {
      assert.equal((await door.call('GET', '/api/me', { key: removed })).status, 200)
      await door.postgres.query("delete from auth.memberships where user_id = 'gone'")
      assert.equal((await door.call('GET', '/api/me', { key: removed })).status, 401)
      const key = await tokenFor(serviceClaims('proxy'), 'auth')
      const checks = await (await door.call('GET', '/internal/keys', { key })).text()
      assert.doesNotMatch(checks, new RegExp(idOf(removed)))
    })
  })
})

describe('who is refused again and again', () => {
  test('has to wait, while the owner token and whoever proved good go on', async () => {
    await using door = await startFrontDoor({ denialsMax: 5 })
    const cookie = await door.signIn()
    const fresh = await door.signIn()
    assert.equal((await door.call('GET', '/api/me', { cookie })).status, 200)
    const guess = () => door.call('GET', '/api/me', { key: `trd_0123456789ab_${'A'.repeat(43)}` })
    for (let tries = 0; tries < 5; tries += 1) assert.equal((await guess()).status, 401)
    const response = await guess()
    assert.equal(response.status, 429)
    assert.equal(response.headers.get('retry-after'), '60')
    assert.equal((await door.call('GET', '/api/me', { cookie: fresh })).status, 429)
    assert.equal((await door.call('GET', '/api/me', { cookie })).status, 200)
    assert.equal((await door.call('GET', '/api/me', { key: door.ownerToken })).status, 200)
    const [row] = await door.postgres.query(
      "select count(*)::int from auth.access_log where event = 'denied'",
    )
    assert.equal(row!.count, 5)
    door.pass(60_001)
    assert.equal((await door.call('GET', '/api/me', { cookie: fresh })).status, 200)
  })
})

const sandboxClaims: Claims = {
  kind: 'sandbox',
  sub: 'sb-1',
  org: 'default',
  user: 'owner',
  loop: 'l-1',
  pass: 1,
  attempt: 1,
  model: 'm',
}
