import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import { WebSocket } from 'ws'
import { serviceClaims } from '../testing/deps.ts'
import { type Echo, startEchoPeer } from '../testing/echo-peer.ts'
import { cookieOf, type FrontDoor, startFrontDoor } from '../testing/front-door.ts'
import type { EndedSessions, Key, KeyCheck, MadeKey, Me, OrgList, SessionList } from './api.ts'

const json = async <T>(response: Response | Promise<Response>) =>
  (await (await response).json()) as T
const codeOf = async (response: Response) => (await json<{ code: string }>(response)).code
const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0'
const absent = '00000000-0000-4000-8000-000000000000'

describe('sessions and organisations', () => {
  const owned = new AsyncDisposableStack()
  let door: FrontDoor
  let owner: { key: string }

  before(async () => {
    door = owned.use(await startFrontDoor())
    owner = { key: door.ownerToken }
    for (const role of ['spool', 'weaver'] as const)
      door.urls.set(role, owned.use(await startEchoPeer(role)).url)
    await door.postgres.query(`
      insert into auth.organisations (id, name) values ('north', 'North Works'), ('south', null);
      insert into auth.users (id) values ('mia'), ('otto');
      insert into auth.memberships (org, user_id, role) values
        ('north', 'owner', 'member'), ('north', 'mia', 'member'), ('south', 'otto', 'owner')`)
  })
  after(() => owned.disposeAsync())

  const list = async (who: { cookie?: string; key?: string }) =>
    (await json<SessionList>(door.call('GET', '/api/sessions', who))).items
  const me = (who: { cookie?: string; key?: string }) => json<Me>(door.call('GET', '/api/me', who))
  const enter = (cookie: string, org: string) =>
    door.call('POST', `/api/orgs/${org}/enter`, { cookie })
  /** Signs another person in, as an invitation one day will: by a session of theirs in the database. */
  const signInAs = async (user: string, org: string) => {
    const cookie = await door.signIn()
    const { session } = await me({ cookie })
    const change = 'update auth.sessions set user_id = $1, org = $2 where id = $3'
    await door.postgres.query(change, [user, org, session])
    return cookie
  }

  describe('a person’s sessions', () => {
    test('are listed with where they are, and the one that asks is marked', async () => {
      await door.call('DELETE', '/api/sessions', owner)
      const cookie = cookieOf(await door.signInWith({ 'user-agent': firefox }))
      const other = await door.signIn()
      const items = await list({ cookie })
      assert.equal(items.length, 2)
      const current = items.find(({ isCurrent }) => isCurrent)!
      assert.equal(current.id, (await me({ cookie })).session)
      assert.deepEqual([current.browser, current.address], ['Firefox 131, Linux', '127.0.0.1'])
      assert.ok(Date.parse(current.expiresAt) > Date.parse(current.createdAt))
      assert.equal(
        items.find(({ isCurrent }) => !isCurrent)!.id,
        (await me({ cookie: other })).session,
      )
      assert.ok((await list(owner)).every(({ isCurrent }) => !isCurrent))
    })

    test('say nothing that would open one', async () => {
      const cookie = await door.signIn()
      const text = await (await door.call('GET', '/api/sessions', { cookie })).text()
      assert.ok(!text.includes(cookie.split('=')[1]!))
      const rows = await door.postgres.query('select token_hash from auth.sessions')
      for (const { token_hash } of rows) assert.ok(!text.includes(token_hash as string))
    })

    test('end one by one, the own one with its cookie', async () => {
      const [mine, other] = [await door.signIn(), await door.signIn()]
      const { session } = await me({ cookie: other })
      const ended = await door.call('DELETE', `/api/sessions/${session}`, { cookie: mine })
      assert.equal(ended.status, 204)
      assert.deepEqual(ended.headers.getSetCookie(), [])
      assert.equal((await door.call('GET', '/api/me', { cookie: other })).status, 401)
      const own = (await me({ cookie: mine })).session
      const last = await door.call('DELETE', `/api/sessions/${own}`, { cookie: mine })
      assert.match(last.headers.getSetCookie()[0]!, /Max-Age=0/)
      assert.equal((await door.call('GET', '/api/me', { cookie: mine })).status, 401)
    })

    test('end all at once but the one that asks, and for the owner token every one', async () => {
      const cookies = [await door.signIn(), await door.signIn(), await door.signIn()] as const
      const before = (await list({ cookie: cookies[0] })).length
      const answer = await json<EndedSessions>(
        door.call('DELETE', '/api/sessions', { cookie: cookies[0] }),
      )
      assert.deepEqual(answer, { ended: before - 1 })
      assert.equal((await door.call('GET', '/api/me', { cookie: cookies[0] })).status, 200)
      assert.equal((await door.call('GET', '/api/me', { cookie: cookies[2] })).status, 401)
      assert.deepEqual(await json(door.call('DELETE', '/api/sessions', owner)), { ended: 1 })
      assert.equal((await door.call('GET', '/api/me', { cookie: cookies[0] })).status, 401)
    })

    test('are not all whose terminals end: those of a revoked key do, and no other key’s', async () => {
      const made = { ...owner, json: { name: 'ci' } }
      const { id, key } = await json<MadeKey>(door.call('POST', '/api/keys', made))
      const other = await json<MadeKey>(door.call('POST', '/api/keys', made))
      const open = async (authorization: string) => {
        const url = new URL('/api/sandboxes/a/terminal', door.url)
        const terminal = new WebSocket(url, { headers: { authorization } })
        await once(terminal, 'message')
        return terminal
      }
      const terminal = await open(`Bearer ${key}`)
      const kept = [await open(`Bearer ${other.key}`), await open(`Bearer ${owner.key}`)]
      const ends = once(terminal, 'close', { signal: AbortSignal.timeout(5_000) })
      await door.call('DELETE', `/api/keys/${id}`, owner)
      await ends
      for (const each of kept) {
        assert.equal(each.readyState, WebSocket.OPEN)
        each.terminate()
      }
    })

    test('have their streams and terminals end with them, and nobody else’s', async () => {
      await using spool = await startEchoPeer(
        'spool',
        (_request, response) => void response.write('1'),
      )
      const before = door.urls.get('spool')!
      door.urls.set('spool', spool.url)
      const [mine, other] = [await door.signIn(), await door.signIn()]
      const streams = [mine, other].map((cookie) =>
        door.call('GET', '/api/loops/a/events', { cookie }),
      )
      const [kept, cut] = (await Promise.all(streams)) as [Response, Response]
      const terminal = new WebSocket(new URL('/api/sandboxes/a/terminal', door.url), {
        headers: { cookie: other, origin: door.url.origin },
      })
      await once(terminal, 'message')
      const { session } = await me({ cookie: other })
      const ends = Promise.all([once(terminal, 'close'), assert.rejects(cut.text())])
      await door.call('DELETE', `/api/sessions/${session}`, { cookie: mine })
      await ends
      door.urls.set('spool', before)
      const reader = kept.body!.getReader()
      assert.equal(String(Buffer.from((await reader.read()).value!)), '1')
      await door.call('POST', '/auth/sign-out', { cookie: mine })
      await assert.rejects(reader.read())
    })

    test('are a hundred at most: the one used longest ago makes room', async () => {
      await door.call('DELETE', '/api/sessions', owner)
      const oldest = await door.signIn()
      await door.postgres.query(`
        update auth.sessions set last_used_at = last_used_at - interval '1 hour' where user_id = 'owner'`)
      await door.postgres.query(`
        insert into auth.sessions (token_hash, org, user_id, last_used_at, expires_at)
        select 'h' || n, 'default', 'owner', now(), now() + interval '1 day'
        from generate_series(1, 99) as n`)
      assert.equal((await list(owner)).length, 100)
      const newest = await door.signIn()
      assert.equal((await list({ cookie: newest })).length, 100)
      assert.equal((await door.call('GET', '/api/me', { cookie: oldest })).status, 401)
      await door.call('DELETE', '/api/sessions', owner)
    })
  })

  describe('sessions of others', () => {
    test('can’t be seen or ended, not by guessing an id and not by the owner', async () => {
      const mia = await signInAs('mia', 'north')
      const miaId = (await me({ cookie: mia })).session!
      const cookie = await door.signIn()
      await enter(cookie, 'north')
      for (const who of [{ cookie }, owner]) {
        assert.ok(!(await list(who)).some(({ id }) => id === miaId))
        for (const id of [miaId, absent, 'x', '%27', "'--", miaId.toUpperCase()]) {
          const response = await door.call('DELETE', `/api/sessions/${id}`, who)
          assert.equal(response.status, 404, id)
          assert.equal(await codeOf(response), 'auth/session-absent')
        }
        await door.call('DELETE', '/api/sessions', who)
      }
      assert.equal((await me({ cookie: mia })).user, 'mia')
      assert.deepEqual(
        (await list({ cookie: mia })).map(({ id }) => id),
        [miaId],
      )
    })

    test('are no business of a key, not even its own user’s', async () => {
      const { key } = await json<MadeKey>(
        door.call('POST', '/api/keys', { ...owner, json: { name: 'ci' } }),
      )
      const { session } = await me({ cookie: await door.signIn() })
      for (const [method, path] of [
        ['GET', '/api/sessions'],
        ['DELETE', '/api/sessions'],
        ['DELETE', `/api/sessions/${session}`],
      ] as const) {
        const response = await door.call(method, path, { key })
        assert.deepEqual([response.status, await codeOf(response)], [403, 'access/denied'])
      }
    })
  })

  describe('organisations', () => {
    test('are those that one belongs to, with the role there', async () => {
      const { items } = await json<OrgList>(
        door.call('GET', '/api/orgs', { cookie: await door.signIn() }),
      )
      assert.deepEqual(items, [
        { id: 'default', name: 'default', role: 'owner', isCurrent: true },
        { id: 'north', name: 'North Works', role: 'member', isCurrent: false },
      ])
      const token = await json<OrgList>(door.call('GET', '/api/orgs', owner))
      assert.deepEqual(
        token.items.map(({ id }) => id),
        ['default'],
      )
    })

    test('are entered by a session, which from then on is a member there and nothing more', async () => {
      const cookie = await door.signIn()
      assert.equal((await enter(cookie, 'north')).status, 204)
      const { org, role, isLocalOwner, channel } = await me({ cookie })
      assert.deepEqual([org, role, isLocalOwner, channel], ['north', 'member', false, 'session'])
      const made = await door.call('POST', '/api/login-links', { cookie })
      assert.equal(made.status, 403)
      const echo = await json<{ claims: { org: string; role: string } }>(
        door.call('GET', '/api/loops', { cookie }),
      )
      assert.deepEqual([echo.claims.org, echo.claims.role], ['north', 'member'])
      assert.equal((await enter(cookie, 'default')).status, 204)
      assert.equal((await me({ cookie })).isLocalOwner, true)
    })

    test('of others can’t be entered, whether they exist or not', async () => {
      const cookie = await door.signIn()
      for (const org of ['south', 'nowhere', 'NORTH', '%20north', 'north%27--']) {
        const response = await enter(cookie, org)
        assert.deepEqual([response.status, await codeOf(response)], [404, 'auth/org-absent'], org)
      }
      assert.equal((await me({ cookie })).org, 'default')
    })

    test('show their own keys alone to a session that entered', async () => {
      const { id } = await json<MadeKey>(
        door.call('POST', '/api/keys', { ...owner, json: { name: 'of default' } }),
      )
      const cookie = await door.signIn()
      await enter(cookie, 'north')
      const text = await (await door.call('GET', '/api/keys', { cookie })).text()
      assert.ok(!text.includes(id))
      assert.equal((await door.call('DELETE', `/api/keys/${id}`, { cookie })).status, 404)
    })

    test('are not entered by a token or a key, which are good in one', async () => {
      const { key } = await json<MadeKey>(
        door.call('POST', '/api/keys', { ...owner, json: { name: 'ci' } }),
      )
      for (const who of [owner, { key }])
        assert.equal((await door.call('POST', '/api/orgs/north/enter', who)).status, 403)
    })

    test('that one left end the session that was in them, and can’t be entered again', async () => {
      const mia = await signInAs('mia', 'north')
      const both = await signInAs('mia', 'north')
      await door.postgres.query(`
        insert into auth.memberships (org, user_id, role) values ('south', 'mia', 'member')`)
      assert.equal((await enter(both, 'south')).status, 204)
      await door.postgres.query(
        `delete from auth.memberships where org = 'north' and user_id = 'mia'`,
      )
      assert.equal((await door.call('GET', '/api/me', { cookie: mia })).status, 401)
      assert.equal((await enter(both, 'north')).status, 404)
      assert.equal((await me({ cookie: both })).org, 'south')
    })

    test('when changed cut the streams of the one before', async () => {
      await using spool = await startEchoPeer(
        'spool',
        (_request, response) => void response.write('1'),
      )
      const before = door.urls.get('spool')!
      door.urls.set('spool', spool.url)
      const cookie = await door.signIn()
      const stream = await door.call('GET', '/api/loops/a/events', { cookie })
      const ended = assert.rejects(stream.text())
      await enter(cookie, 'north')
      await ended
      door.urls.set('spool', before)
    })
  })

  describe('a page of another origin', () => {
    test('neither ends sessions nor changes the organisation', async () => {
      const cookie = await door.signIn()
      const { session } = await me({ cookie })
      for (const [method, path] of [
        ['DELETE', '/api/sessions'],
        ['DELETE', `/api/sessions/${session}`],
        ['POST', '/api/orgs/north/enter'],
      ] as const) {
        for (const origin of ['https://evil.example', 'http://127.0.0.1:1', 'null']) {
          const response = await door.call(method, path, { headers: { cookie, origin } })
          assert.deepEqual([response.status, await codeOf(response)], [403, 'auth/origin'])
        }
      }
      assert.equal((await me({ cookie })).org, 'default')
    })
  })

  describe('the team of a key', () => {
    test('is as an owner says, and of the one that takes its place', async () => {
      const wanted = { name: 'x', team: 'search' }
      const made = await json<MadeKey>(door.call('POST', '/api/keys', { ...owner, json: wanted }))
      assert.equal(made.team, 'search')
      const rotated = await json<MadeKey>(door.call('POST', `/api/keys/${made.id}/rotate`, owner))
      assert.equal(rotated.team, 'search')
      const path = `/api/keys/${rotated.id}`
      const set = (team: string | null) => door.call('PUT', path, { ...owner, json: { team } })
      assert.equal((await json<Key>(set('ads'))).team, 'ads')
      const echoed = await json<Echo>(door.call('GET', '/api/loops', { key: rotated.key }))
      assert.equal(echoed.claims?.kind === 'user' && echoed.claims.team, 'ads')
      const key = await door.deps.tokenFor(serviceClaims('proxy'))
      const checks = await json<KeyCheck[]>(door.call('GET', '/internal/keys', { key }))
      assert.deepEqual(
        [made, rotated].map(({ id }) => checks.find((one) => one.id === id)!.team),
        ['search', 'ads'],
      )
      assert.equal((await json<Key>(set(null))).team, null)
      assert.equal((await set('Not a name')).status, 400)
      assert.equal(
        (await door.call('PUT', '/api/keys/none', { ...owner, json: { team: 'a' } })).status,
        404,
      )
      // A key gives itself no team.
      const own = await door.call('PUT', path, { key: rotated.key, json: { team: 'ads' } })
      assert.equal(own.status, 403)
    })

    test('is not a member’s to say, who may make keys', async () => {
      const cookie = await signInAs('owner', 'north') // A member there.
      const call = (method: string, path: string, body: object) =>
        door.call(method, path, { cookie, json: body })
      const made = await call('POST', '/api/keys', { name: 'own' })
      assert.equal(made.status, 201)
      const { id } = await json<MadeKey>(made)
      assert.equal((await call('POST', '/api/keys', { name: 'x', team: 'search' })).status, 403)
      assert.equal((await call('PUT', `/api/keys/${id}`, { team: 'search' })).status, 403)
    })
  })
})
