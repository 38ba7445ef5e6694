import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { serviceClaims } from '../testing/deps.ts'
import { type Echo, startEchoPeer } from '../testing/echo-peer.ts'
import { type FrontDoor, startFrontDoor } from '../testing/front-door.ts'
import type { Key, KeyCheck, KeyList, MadeKey, Me, Status } from './api.ts'
import { openOwnerToken } from './owner-token.ts'
import { hashOf } from './secret-text.ts'

const json = async <T>(response: Response | Promise<Response>) =>
  (await (await response).json()) as T

describe('the front door', () => {
  const owned = new AsyncDisposableStack()
  let door: FrontDoor
  let owner: { key: string }

  before(async () => {
    door = owned.use(await startFrontDoor())
    owner = { key: door.ownerToken }
    for (const role of ['spool', 'weaver', 'threads', 'proxy'] as const) {
      door.urls.set(role, owned.use(await startEchoPeer(role)).url)
    }
  })
  after(() => owned.disposeAsync())

  const makeKey = (body: object = { name: 'laptop' }) =>
    json<MadeKey>(door.call('POST', '/api/keys', { ...owner, json: body }))

  describe('who comes in', () => {
    test('the owner token is the owner of the first organisation', async () => {
      const me = await json<Me>(door.call('GET', '/api/me', owner))
      assert.deepEqual(me, {
        user: 'owner',
        org: 'default',
        role: 'owner',
        channel: 'owner-token',
        session: null,
        isLocalOwner: true,
      })
    })

    test('a sign-in link opens a session of the owner', async () => {
      const cookie = await door.signIn()
      const me = await json<Me>(door.call('GET', '/api/me', { cookie }))
      assert.deepEqual([me.user, me.role, me.channel], ['owner', 'owner', 'owner-session'])
    })

    test('the session cookie is closed to scripts and to other sites', async () => {
      const { url } = await door.createLoginLink()
      const code = new URL(url).searchParams.get('code')!
      const response = await door.call('POST', '/auth/sign-in', {
        body: `code=${code}`,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      })
      assert.equal(response.status, 303)
      assert.equal(response.headers.get('location'), '/')
      assert.match(
        response.headers.getSetCookie()[0]!,
        /^treadle_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=2592000$/,
      )
    })

    test('a key is the user who made it, through the channel of keys', async () => {
      const { key } = await makeKey()
      const me = await json<Me>(door.call('GET', '/api/me', { key }))
      assert.deepEqual([me.user, me.org, me.channel], ['owner', 'default', 'key'])
    })

    test('without a credential there is no answer but how to get one', async () => {
      const response = await door.call('GET', '/api/me')
      assert.equal(response.status, 401)
      assert.equal((await json<{ code: string }>(response)).code, 'auth/absent')
    })

    test('whoever is in sees what is up', async () => {
      const status = await json<Status>(door.call('GET', '/api/status', owner))
      assert.deepEqual(status.roles.map(({ role }) => role).sort(), [
        'proxy',
        'spool',
        'threads',
        'weaver',
      ])
      assert.ok(status.roles.every(({ up }) => up))
      assert.equal(status.database, 'up')
    })
  })

  describe('sessions end', () => {
    test('a session that is used lives on, and one left unused for too long is over', async () => {
      const used = await door.signIn()
      const unused = await door.signIn()
      for (let day = 0; day < 9; day += 3) {
        door.pass(3 * 86_400_000)
        assert.equal((await door.call('GET', '/api/me', { cookie: used })).status, 200)
      }
      assert.equal((await door.call('GET', '/api/me', { cookie: unused })).status, 401)
    })

    test('even a session in use is over at its last day', async () => {
      const cookie = await door.signIn()
      for (let day = 0; day < 30; day += 5) {
        assert.equal((await door.call('GET', '/api/me', { cookie })).status, 200)
        door.pass(5 * 86_400_000)
      }
      assert.equal((await door.call('GET', '/api/me', { cookie })).status, 401)
    })

    test('signing out ends the session and clears the cookie', async () => {
      const cookie = await door.signIn()
      const response = await door.call('POST', '/auth/sign-out', { cookie })
      assert.equal(response.status, 303)
      assert.match(response.headers.getSetCookie()[0]!, /^treadle_session=;.* Max-Age=0/)
      assert.equal((await door.call('GET', '/api/me', { cookie })).status, 401)
    })
  })

  describe('keys', () => {
    test('the text of a key is in the answer that makes it, and nowhere else', async () => {
      const made = await makeKey({ name: 'ci' })
      assert.match(made.key, new RegExp(`^trd_${made.id}_[\\w-]{43}$`))
      const listed = await (await door.call('GET', '/api/keys', owner)).text()
      assert.match(listed, new RegExp(made.id))
      const secret = made.key.slice(-43) // It may have an underscore itself.
      assert.doesNotMatch(listed, new RegExp(secret))
      const rows = await door.postgres.query('select * from auth.keys where id = $1', [made.id])
      assert.doesNotMatch(JSON.stringify(rows), new RegExp(secret))
      assert.equal(rows[0]!.hash, hashOf(made.key))
    })

    test('the newest key is listed first, and a revoked one last', async () => {
      const [first, second] = [await makeKey({ name: 'first' }), await makeKey({ name: 'second' })]
      await door.call('DELETE', `/api/keys/${second.id}`, owner)
      const { items } = await json<KeyList>(door.call('GET', '/api/keys', owner))
      assert.equal(items[0]!.id, first.id)
      assert.equal(items.at(-1)!.id, second.id)
    })

    test('a revoked key is refused from the next request on', async () => {
      const { id, key } = await makeKey()
      assert.equal((await door.call('GET', '/api/me', { key })).status, 200)
      const revoked = await json<Key>(door.call('DELETE', `/api/keys/${id}`, owner))
      assert.notEqual(revoked.revokedAt, null)
      assert.equal((await door.call('GET', '/api/me', { key })).status, 401)
    })

    test('a key is refused after its last day', async () => {
      const { key } = await makeKey({ name: 'short', expiresInDays: 1 })
      assert.equal((await door.call('GET', '/api/me', { key })).status, 200)
      door.pass(86_400_001)
      assert.equal((await door.call('GET', '/api/me', { key })).status, 401)
    })

    test('the last use of a key is written down soon', async () => {
      const { id, key } = await makeKey()
      await door.call('GET', '/api/me', { key })
      for (let tries = 0; ; tries += 1) {
        const { items } = await json<KeyList>(door.call('GET', '/api/keys', owner))
        if (items.find((item) => item.id === id)!.lastUsedAt !== null) break
        assert.ok(tries < 50, 'no use was written')
        await sleep(50)
      }
    })

    describe('that is rotated', () => {
      const rotate = (id: string, json: object = {}, who: { key: string } = owner) =>
        door.call('POST', `/api/keys/${id}/rotate`, { ...who, json })
      const statusOf = async (key: string) => (await door.call('GET', '/api/me', { key })).status

      test('both are good until the overlap is over, and then the new one alone', async () => {
        const old = await makeKey({ name: 'laptop' })
        const made = await json<MadeKey>(rotate(old.id, { overlap: '2h' }))
        assert.deepEqual([made.name, made.user, made.expiresAt], ['laptop', 'owner', null])
        assert.notEqual(made.id, old.id)
        assert.deepEqual([await statusOf(old.key), await statusOf(made.key)], [200, 200])
        door.pass(2 * 3_600_000 + 1)
        assert.deepEqual([await statusOf(old.key), await statusOf(made.key)], [401, 200])
      })

      test('without an overlap the old one ends at once', async () => {
        const old = await makeKey()
        const made = await json<MadeKey>(rotate(old.id, { overlap: '0s' }))
        assert.deepEqual([await statusOf(old.key), await statusOf(made.key)], [401, 200])
        assert.equal((await rotate(old.id)).status, 404)
      })

      test('the new one is good for as long as the old one was, and the old one for no longer', async () => {
        const old = await makeKey({ name: 'short', expiresInDays: 2 })
        door.pass(86_400_000)
        const made = await json<MadeKey>(rotate(old.id, { overlap: '10d' }))
        const { items } = await json<KeyList>(door.call('GET', '/api/keys', owner))
        const ended = items.find(({ id }) => id === old.id)!
        assert.equal(ended.expiresAt, old.expiresAt)
        const days = (Date.parse(made.expiresAt!) - Date.parse(made.createdAt)) / 86_400_000
        assert.equal(days, 2)
      })

      test('a key rotates no key, and an overlap of months is refused', async () => {
        const { id, key } = await makeKey()
        assert.equal((await rotate(id, {}, { key })).status, 403)
        assert.equal((await rotate(id, { overlap: '31d' })).status, 400)
        assert.equal((await rotate('000000000000')).status, 404)
      })
    })

    test('an absent key can be neither found nor revoked', async () => {
      assert.equal((await door.call('DELETE', '/api/keys/000000000000', owner)).status, 404)
    })

    for (const [title, body] of [
      ['a key without a name', {}],
      ['a key with an unknown field', { name: 'x', admin: true }],
      ['a key for no time', { name: 'x', expiresInDays: 0 }],
      ['a key of a team that is no name', { name: 'x', team: 'Search!' }],
    ] as const) {
      test(`${title} is refused with the field that is wrong`, async () => {
        const response = await door.call('POST', '/api/keys', { ...owner, json: body })
        assert.equal(response.status, 400)
        const { code, problems } = await json<{ code: string; problems: object[] }>(response)
        assert.equal(code, 'auth/invalid')
        assert.equal(problems.length, 1)
      })
    }

    test('the proxy gets the live keys by hash, and no dead one', async () => {
      const live = await makeKey()
      const dead = await makeKey()
      await door.call('DELETE', `/api/keys/${dead.id}`, owner)
      const key = await door.deps.tokenFor(serviceClaims('proxy'))
      const checks = await json<KeyCheck[]>(door.call('GET', '/internal/keys', { key }))
      const found = checks.find(({ id }) => id === live.id)
      assert.deepEqual(found, {
        id: live.id,
        hash: hashOf(live.key),
        org: 'default',
        user: 'owner',
        team: null,
        expiresAt: null,
      })
      assert.ok(!checks.some(({ id }) => id === dead.id))
    })
  })

  describe('the way on', () => {
    const ways = {
      '/api/loops': 'spool',
      '/api/loops/l-1/events?follow=1&after=3': 'spool',
      '/api/sandboxes/sb-1/exec': 'weaver',
      '/api/threads/search?q=a%20b': 'threads',
      '/api/providers/anthropic/test': 'proxy',
      '/api/usage': 'proxy',
      '/api/budgets/daily/use': 'proxy',
      '/api/routes/main': 'proxy',
      '/api/prices/check': 'proxy',
      '/api/policies/key:k-1': 'proxy',
      '/api/explain': 'proxy',
      '/api/calls?loop=l-1': 'proxy',
      '/api/agents': 'spool',
    } as const
    for (const [path, role] of Object.entries(ways)) {
      test(`${path} goes to ${role}, with query and body as they are`, async () => {
        const body = `{"a": 1,\n "b": "${'x'.repeat(100_000)}"}`
        const echo = await json<Echo>(door.call('POST', path, { ...owner, body }))
        assert.deepEqual([echo.role, echo.method, echo.url], [role, 'POST', path])
        assert.equal(echo.body, body)
        assert.deepEqual(echo.claims, {
          kind: 'user',
          sub: 'owner',
          org: 'default',
          role: 'owner',
          channel: 'owner-token',
        })
      })
    }

    test('a session goes on as a session, without its cookie', async () => {
      const cookie = await door.signIn()
      const echo = await json<Echo>(door.call('GET', '/api/loops', { cookie }))
      assert.equal(echo.claims?.kind === 'user' && echo.claims.channel, 'owner-session')
      assert.equal(echo.headers.cookie, undefined)
    })

    test('a path that only begins like a noun goes nowhere', async () => {
      for (const path of ['/api/loopsy', '/api/LOOPS', '/api', '/apiloops', '/internal/loops']) {
        assert.notEqual((await door.call('GET', path, owner)).status, 200, path)
      }
      assert.equal((await door.call('GET', '/api/loopsy', owner)).status, 404)
    })

    test('one request id joins the lines of both roles', async () => {
      const headers = { 'x-request-id': 'abcdefgh-1234' }
      const response = await door.call('GET', '/api/loops', { ...owner, headers })
      assert.equal(response.headers.get('x-request-id'), 'abcdefgh-1234')
      assert.equal((await json<Echo>(response)).headers['x-request-id'], 'abcdefgh-1234')
    })

    test('a terminal is a WebSocket through the front door', async () => {
      const socket = new WebSocket(new URL('/api/sandboxes/sb-1/terminal', door.url), {
        headers: { authorization: `Bearer ${door.ownerToken}` },
      })
      const message = async () => String((await once(socket, 'message'))[0])
      const { claims, url } = JSON.parse(await message()) as Echo
      socket.send('ls\r')
      assert.equal(await message(), 'ls\r')
      socket.close()
      assert.equal(url, '/api/sandboxes/sb-1/terminal')
      assert.equal(claims?.kind === 'user' && claims.sub, 'owner')
    })

    test('lines of a followed stream arrive one by one', async () => {
      await using spool = await startEchoPeer('spool', async (_request, response) => {
        response.setHeader('content-type', 'application/x-ndjson')
        for (const seq of [1, 2, 3]) {
          response.write(`${JSON.stringify({ seq })}\n`)
          await sleep(150)
        }
        response.end()
      })
      const before = door.urls.get('spool')!
      door.urls.set('spool', spool.url)
      const response = await door.call('GET', '/api/loops/l-1/events?follow=1', owner)
      const arrivals: number[] = []
      for await (const _chunk of response.body!) arrivals.push(performance.now())
      door.urls.set('spool', before)
      assert.equal(arrivals.length, 3)
      assert.ok(arrivals[2]! - arrivals[0]! > 200, `held back: ${arrivals}`)
    })
  })

  test('what happens at the door stands in the access log', async () => {
    const cookie = await door.signIn()
    const { id } = await makeKey()
    await door.call('DELETE', `/api/keys/${id}`, owner)
    await door.call('POST', '/auth/sign-out', { cookie })
    await door.call('GET', '/api/me', { key: 'trd_000000000000_x' })
    const rows = await door.postgres.query(
      'select event, subject, detail from auth.access_log order by id desc limit 6',
    )
    assert.deepEqual(
      rows.map(({ event }) => event),
      ['denied', 'sign-out', 'key-revoked', 'key-made', 'sign-in', 'link-made'],
    )
    assert.deepEqual(rows[0], {
      event: 'denied',
      subject: 'GET /api/me',
      detail: 'auth/refused',
    })
    assert.equal(rows[2]!.subject, id)
  })

  test('the access log only grows', async () => {
    for (const statement of [
      "update auth.access_log set event = 'x'",
      'delete from auth.access_log',
      'truncate auth.access_log',
    ]) {
      await assert.rejects(door.postgres.query(statement), /only grows/)
    }
  })
})

describe('the owner token file', () => {
  test('it is written once, for the owner alone, and read at the next start', async () => {
    await using door = await startFrontDoor()
    const file = join(door.deps.folder, 'other.token')
    const isFirst = openOwnerToken(file)
    const token = readFileSync(file, 'utf8').trim()
    assert.match(token, /^trdo_[\w-]{43}$/)
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.ok(isFirst(token))
    assert.ok(openOwnerToken(file)(token))
    assert.equal(isFirst(`${token}x`), false)
    assert.ok(!existsSync(`${file}.${process.pid}`))

    writeFileSync(file, 'trdo_short')
    assert.throws(() => openOwnerToken(file), /holds no owner token/)
    writeFileSync(join(door.deps.folder, 'open.token'), token, { mode: 0o644 })
    assert.throws(() => openOwnerToken(join(door.deps.folder, 'open.token')), /read by others/)
  })
})
