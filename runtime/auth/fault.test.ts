import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, before, beforeEach, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { type EchoPeer, startEchoPeer } from '../testing/echo-peer.ts'
import { type FrontDoor, startFrontDoor } from '../testing/front-door.ts'

async function until(isSo: () => boolean, what: string): Promise<void> {
  for (let tries = 0; !isSo(); tries += 1) {
    assert.ok(tries < 150, what)
    await sleep(20)
  }
}

describe('faults behind the front door', () => {
  const owned = new AsyncDisposableStack()
  let door: FrontDoor
  let owner: { key: string }

  before(async () => {
    door = owned.use(await startFrontDoor())
    owner = { key: door.ownerToken }
  })
  after(() => owned.disposeAsync())
  beforeEach(() => door.urls.clear())

  const useSpool = (peer: EchoPeer) => door.urls.set('spool', peer.url)

  test('a role that is down is named, and the others go on', async () => {
    const gone = await startEchoPeer('spool')
    useSpool(gone)
    await gone[Symbol.asyncDispose]()
    await using threads = await startEchoPeer('threads')
    door.urls.set('threads', threads.url)
    const response = await door.call('GET', '/api/loops', owner)
    assert.equal(response.status, 503)
    assert.deepEqual(await response.json(), {
      code: 'auth/peer-down',
      message: 'The role behind this path does not answer. It is spool.',
    })
    assert.equal((await door.call('GET', '/api/threads', owner)).status, 200)
  })

  test('a role that has not started yet is named too', async () => {
    const response = await door.call('POST', '/api/sandboxes/a/exec', owner)
    assert.equal(response.status, 503)
    assert.match(await response.text(), /It is weaver/)
  })

  test('a terminal to a role that is down, or not yet up, is refused at once', async () => {
    const gone = await startEchoPeer('weaver')
    await gone[Symbol.asyncDispose]()
    for (const url of [undefined, gone.url]) {
      if (url) door.urls.set('weaver', url)
      const socket = new WebSocket(new URL('/api/sandboxes/a/terminal', door.url), {
        headers: { authorization: `Bearer ${door.ownerToken}` },
      })
      const [error] = await once(socket, 'error')
      assert.match(String(error), /503/)
    }
  })

  test('a role that dies before its answer is a 503', async () => {
    await using spool = await startEchoPeer('spool', (request) => request.socket.destroy())
    useSpool(spool)
    assert.equal((await door.call('GET', '/api/loops', owner)).status, 503)
  })

  test('a role that dies in mid-answer cuts the client off, who never takes the part for the whole', {
    timeout: 20_000,
  }, async () => {
    await using spool = await startEchoPeer('spool', (_request, response) => {
      response.write('{"seq":1}\n')
    })
    useSpool(spool)
    const response = await door.call('GET', '/api/loops/a/events', owner)
    const reading = response.text()
    await until(() => spool.seen === 1, 'the request never arrived')
    spool.crash()
    await assert.rejects(reading, /terminated/)
  })

  for (const [title, begin] of [
    ['before the answer began', () => {}],
    ['in mid-stream', (write: () => void) => write()],
  ] as const) {
    test(`a client that leaves ${title} ends the request behind`, async () => {
      await using spool = await startEchoPeer('spool', (_request, response) =>
        begin(() => response.write('{"seq":1}\n')),
      )
      useSpool(spool)
      const socket = connect(Number(door.url.port), '127.0.0.1')
      socket.write(
        `GET /api/loops/a/events HTTP/1.1\r\nhost: ${door.url.host}\r\nauthorization: Bearer ${door.ownerToken}\r\n\r\n`,
      )
      await until(() => spool.seen === 1, 'the request never arrived')
      await sleep(50)
      assert.equal(spool.left, 0)
      socket.destroy()
      await until(() => spool.left === 1, 'the request behind went on')
    })
  }

  test('a terminal whose client is gone ends behind, be it closed or cut', async () => {
    await using weaver = await startEchoPeer('weaver')
    door.urls.set('weaver', weaver.url)
    for (const end of ['close', 'terminate'] as const) {
      const socket = new WebSocket(new URL('/api/sandboxes/a/terminal', door.url), {
        headers: { authorization: `Bearer ${door.ownerToken}` },
      })
      await once(socket, 'message')
      const before = weaver.left
      socket[end]()
      await until(() => weaver.left === before + 1, `after ${end} the terminal went on`)
    }
  })

  test('a terminal whose role dies is closed at the client', async () => {
    const weaver = await startEchoPeer('weaver')
    door.urls.set('weaver', weaver.url)
    const socket = new WebSocket(new URL('/api/sandboxes/a/terminal', door.url), {
      headers: { authorization: `Bearer ${door.ownerToken}` },
    })
    await once(socket, 'message')
    const closed = once(socket, 'close')
    await weaver[Symbol.asyncDispose]()
    await closed
  })

  test('after PostgreSQL was killed the owner token opens still, the rest says so, and all is back with it', async () => {
    await using spool = await startEchoPeer('spool')
    useSpool(spool)
    const cookie = await door.signIn()
    const code = new URL((await door.createLoginLink()).url).searchParams.get('code')
    await door.postgres.kill()
    assert.equal((await door.call('GET', '/api/loops', owner)).status, 200)
    const response = await door.call('GET', '/api/loops', { cookie })
    assert.equal(response.status, 503)
    assert.equal(((await response.json()) as { code: string }).code, 'auth/store-down')
    assert.equal((await door.call('GET', '/', { cookie })).status, 503)
    assert.equal((await door.call('GET', '/api/keys', owner)).status, 503)
    const form = {
      body: `code=${code}`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    }
    assert.equal((await door.call('POST', '/auth/sign-in', form)).status, 503)
    await door.postgres.start()
    assert.equal((await door.call('GET', '/api/loops', { cookie })).status, 200)
    assert.equal((await door.call('POST', '/auth/sign-in', form)).status, 303)
  })
})

test('the front door closes in time with a terminal and a stream open', {
  timeout: 20_000,
}, async () => {
  const door = await startFrontDoor()
  await using weaver = await startEchoPeer('weaver')
  await using spool = await startEchoPeer('spool', (_request, response) => void response.write('1'))
  door.urls.set('weaver', weaver.url).set('spool', spool.url)
  const socket = new WebSocket(new URL('/api/sandboxes/a/terminal', door.url), {
    headers: { authorization: `Bearer ${door.ownerToken}` },
  })
  await once(socket, 'message')
  const closed = once(socket, 'close')
  const stream = await door.call('GET', '/api/loops/a/events', { key: door.ownerToken })
  const reading = stream.text().catch(() => 'cut')
  const began = performance.now()
  await door[Symbol.asyncDispose]()
  assert.ok(performance.now() - began < 6_000, 'it waited for its clients')
  await closed
  assert.equal(await reading, 'cut')
})
