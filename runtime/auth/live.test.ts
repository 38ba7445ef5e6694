// Event streams through the front door, and what it tells of roles and the database at any moment.
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { after, before, beforeEach, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type EchoPeer, startEchoPeer } from '../testing/echo-peer.ts'
import { type FrontDoor, startFrontDoor } from '../testing/front-door.ts'
import type { Status } from './api.ts'

const lateMsMax = 200

async function until(isSo: () => boolean, what: string): Promise<void> {
  for (let tries = 0; !isSo(); tries += 1) {
    assert.ok(tries < 150, what)
    await sleep(20)
  }
}

describe('event streams', () => {
  const owned = new AsyncDisposableStack()
  const streamSilentMs = 400
  let door: FrontDoor
  let cookie: string

  before(async () => {
    door = owned.use(await startFrontDoor({ streamSilentMs }))
    cookie = await door.signIn()
  })
  after(() => owned.disposeAsync())

  const startSpool = (stream: (response: ServerResponse) => void) =>
    startEchoPeer('spool', (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
      stream(response)
    })
  const open = (peer: EchoPeer, signal?: AbortSignal) => {
    door.urls.set('spool', peer.url)
    return fetch(new URL('/api/loops/live', door.url), {
      headers: { cookie, accept: 'text/event-stream', 'accept-encoding': 'gzip, br' },
      ...(signal && { signal }),
    })
  }

  test('carry each event on at once, small and large', async () => {
    await using spool = await startSpool(async (response) => {
      for (const chars of [1, 10, 100_000, 1, 1]) {
        const data = JSON.stringify({ at: performance.now(), fill: 'x'.repeat(chars) })
        response.write(`event: loop\ndata: ${data}\n\n`)
        await sleep(120)
      }
      response.end()
    })
    const response = await open(spool)
    assert.equal(response.headers.get('content-encoding'), null)
    assert.match(response.headers.get('cache-control')!, /no-store/)
    const lateMs: number[] = []
    let text = ''
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk
      const events = text.split('\n\n')
      text = events.pop()!
      for (const event of events) {
        const { at } = JSON.parse(event.split('data: ')[1]!) as { at: number }
        lateMs.push(performance.now() - at)
      }
    }
    assert.equal(lateMs.length, 5)
    assert.ok(Math.max(...lateMs) < lateMsMax, `late by ${lateMs.map(Math.round)} ms`)
  })

  test('have their headers before the first event', async () => {
    await using spool = await startSpool((response) => response.flushHeaders())
    const left = new AbortController()
    const response = await open(spool, left.signal)
    assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8')
    left.abort()
  })

  test('end behind when the browser leaves', async () => {
    await using spool = await startSpool((response) => response.write(': here\n\n'))
    const left = new AbortController()
    const response = await open(spool, left.signal)
    await response.body!.getReader().read()
    assert.equal(spool.left, 0)
    left.abort()
    await until(() => spool.left === 1, 'the stream behind went on')
  })

  test('end at the browser when the role dies', async () => {
    await using spool = await startSpool((response) => response.write(': here\n\n'))
    const reading = (await open(spool)).text()
    spool.crash()
    await assert.rejects(reading, /terminated/)
  })

  test('end on both sides when the role says nothing for too long, and not while it does', async () => {
    await using spool = await startSpool(async (response) => {
      for (let beat = 0; beat < 5; beat += 1) {
        response.write(`: ${beat}\n\n`)
        await sleep(streamSilentMs / 2)
      }
    })
    const response = await open(spool)
    let text = ''
    const reading = (async () => {
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) text += chunk
    })()
    await assert.rejects(reading)
    assert.match(text, /: 4/)
    await until(() => spool.left === 1, 'the stream behind went on')
  })

  test('of another kind may be silent for as long as they like', async () => {
    await using spool = await startEchoPeer('spool', async (_request, response) => {
      response.setHeader('content-type', 'application/x-ndjson')
      response.write('1\n')
      await sleep(streamSilentMs * 2)
      response.end('2\n')
    })
    assert.equal(await (await open(spool)).text(), '1\n2\n')
  })
})

describe('what is up', () => {
  const owned = new AsyncDisposableStack()
  let door: FrontDoor

  before(async () => {
    door = owned.use(await startFrontDoor())
  })
  after(() => owned.disposeAsync())
  beforeEach(() => door.urls.clear())

  const statusAs = (who: { cookie?: string; key?: string }) => door.call('GET', '/api/status', who)
  const status = async (who: { cookie?: string; key?: string } = { key: door.ownerToken }) =>
    (await (await statusAs(who)).json()) as Status
  /** Asked as the console does, every second at most. */
  const seenWithin3s = async (isSo: (found: Status) => boolean, who?: { cookie: string }) => {
    const deadline = performance.now() + 3_000
    for (;;) {
      const found = await status(who)
      if (isSo(found)) return
      assert.ok(performance.now() < deadline, JSON.stringify(found))
      await sleep(500)
    }
  }
  const isUp = (found: Status, role: string) => found.roles.find((each) => each.role === role)?.up

  test('changes when a role is killed, and when it is back', async () => {
    const spool = await startEchoPeer('spool')
    door.urls.set('spool', spool.url)
    await seenWithin3s((found) => isUp(found, 'spool') === true)
    await spool[Symbol.asyncDispose]()
    await seenWithin3s((found) => isUp(found, 'spool') === false)
    const response = await door.call('GET', '/api/loops', { key: door.ownerToken })
    assert.equal(response.status, 503)
    assert.match(await response.text(), /"auth\/peer-down".*It is spool/)
    await using again = await startEchoPeer('spool')
    door.urls.set('spool', again.url)
    await seenWithin3s((found) => isUp(found, 'spool') === true)
  })

  test('counts a role that hangs as down, without waiting for it', async () => {
    await sleep(400) // What was seen before is told for a moment.
    await using threads = await startEchoPeer('threads', () => {})
    door.urls.set('threads', threads.url)
    const began = performance.now()
    assert.equal(isUp(await status(), 'threads'), false)
    assert.ok(performance.now() - began < 2_000)
  })

  test('is told while the database is away: to the token, and to a session that was good before', async () => {
    await using spool = await startEchoPeer('spool')
    door.urls.set('spool', spool.url)
    const [cookie, unused, ended] = [await door.signIn(), await door.signIn(), await door.signIn()]
    const { session } = (await (await door.call('GET', '/api/me', { cookie: ended })).json()) as {
      session: string
    }
    await door.call('DELETE', `/api/sessions/${session}`, { cookie })
    await door.postgres.kill()
    await seenWithin3s((found) => found.database === 'down')
    await seenWithin3s((found) => found.database === 'down' && isUp(found, 'spool') === true, {
      cookie,
    })
    const html = { accept: 'text/html' }
    assert.equal((await door.call('GET', '/loops', { cookie, headers: html })).status, 200)
    for (const stranger of [unused, ended, 'treadle_session=x']) {
      assert.equal((await statusAs({ cookie: stranger })).status, 503)
      const page = await door.call('GET', '/', { cookie: stranger, headers: html })
      assert.equal(page.status, 503)
      assert.match(await page.text(), /The database does not answer/)
    }
    assert.equal((await door.call('GET', '/api/loops', { cookie })).status, 503)
    await door.postgres.start()
    await seenWithin3s((found) => found.database === 'up', { cookie })
  })
})
