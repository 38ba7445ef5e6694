// A terminal through the role's own WebSocket, a real daemon behind it.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { after, before, describe, test } from 'node:test'
import { createAccess } from '#kernel/access.ts'
import { createLog } from '#kernel/log.ts'
import { userClaims } from '../testing/deps.ts'
import type { AgentState } from './api.ts'
import { until } from './testing/until.ts'
import { openViewer, refusalOf, type Viewer } from './testing/viewer.ts'
import { startTestWeaver, type TestWeaver } from './testing.ts'

const policies = new URL('../../policies/access/', import.meta.url)
const mia = userClaims({ sub: 'mia', role: 'member', channel: 'session' })
const stranger = userClaims({ sub: 'sam', org: 'elsewhere' })
const agent = (script: string) => ({
  argv: ['sh', '-c', script],
  env: {},
  files: [],
  timeMsMax: 60_000,
})

describe('a terminal', () => {
  const owned = new AsyncDisposableStack()
  let weaver: TestWeaver
  before(async () => {
    const access = createAccess(createLog('silent', process.stderr), policies)
    weaver = owned.use(await startTestWeaver({ access, config: { sandboxesMax: 4 } }))
  })
  after(() => owned.disposeAsync())

  /** A sandbox whose agent runs this, and its end. */
  async function start(script: string) {
    const { id } = await weaver.create()
    const started = await weaver.call('POST', `/api/sandboxes/${id}/agent`, agent(script))
    assert.equal(started.status, 202)
    return { id, [Symbol.asyncDispose]: () => weaver.remove(id) }
  }
  const open = (id: string, search = '', claims = userClaims()) =>
    openViewer(weaver, id, { search, claims })
  const outputBytes = async (id: string) => {
    const response = await weaver.call('GET', `/api/sandboxes/${id}/agent`)
    return ((await response.json()) as AgentState).outputBytes
  }

  test('has many viewers and one writer, who comes first, is replaced, and leaves', async () => {
    await using sandbox = await start('stty -echo; while read word; do echo "got $word"; done')
    const first = await open(sandbox.id)
    assert.deepEqual([first.hello.writer, first.hello.viewers], ['you', 1])
    const second = await open(sandbox.id)
    assert.deepEqual([second.hello.writer, second.hello.viewers], ['other', 2])
    await first.told({ type: 'viewers', viewers: 2 })

    second.keys('no\r')
    await second.told({ type: 'refused' })
    first.keys('tea\r')
    await second.shows('got tea')
    second.say({ type: 'take' })
    await first.told({ type: 'writer', writer: 'other' })
    await second.told({ type: 'writer', writer: 'you' })
    second.keys('milk\r')
    await first.shows('got milk')
    first.keys('no\r')
    await first.told({ type: 'refused' })

    second.say({ type: 'release' })
    await first.told({ type: 'writer', writer: null })
    second.keys('no\r')
    await until(() => second.news.filter(({ type }) => type === 'refused').length === 2)
    second.say({ type: 'take' })
    second.socket.terminate()
    await until(() => JSON.stringify(first.news.at(-1)) === '{"type":"writer","writer":null}')
    await first.told({ type: 'viewers', viewers: 1 })
    first.say({ type: 'take' })
    first.keys('last\r')
    await first.shows('got last')
    assert.doesNotMatch(String(first.bytes()), /no/)
    first.socket.close()
  })

  test('has the size that its writer says, and tells it to all', async () => {
    await using sandbox = await start('read line; stty size; read line')
    const [writer, viewer] = [await open(sandbox.id), await open(sandbox.id)]
    assert.deepEqual([viewer.hello.cols, viewer.hello.rows], [120, 40])
    viewer.say({ type: 'resize', cols: 10, rows: 10 })
    await viewer.told({ type: 'refused' })
    writer.say({ type: 'resize', cols: 91, rows: 17 })
    await viewer.told({ type: 'size', cols: 91, rows: 17 })
    writer.say({ cols: 92, rows: 18 })
    await viewer.told({ type: 'size', cols: 92, rows: 18 })
    writer.keys('\r')
    await viewer.shows('18 92')
    const late = await open(sandbox.id, '?mode=view')
    assert.deepEqual([late.hello.cols, late.hello.rows], [92, 18])
  })

  test('is watched with the right to read, and written to with the right to attach', async () => {
    await using sandbox = await start('stty -echo; read word; echo "got $word"')
    const { id } = sandbox
    assert.equal(await refusalOf(weaver, id, { claims: mia }), 403)
    assert.equal(await refusalOf(weaver, id, { claims: mia, search: '?mode=write' }), 403)
    for (const mode of ['view', 'write']) {
      const search = `?mode=${mode}`
      assert.equal(await refusalOf(weaver, id, { claims: stranger, search }), 403)
    }
    const watcher = await open(id, '?mode=view', mia)
    assert.deepEqual([watcher.hello.mayWrite, watcher.hello.writer], [false, null])
    for (const deed of [
      () => watcher.keys('mine\r'),
      () => watcher.say({ type: 'take' }),
      () => watcher.say({ type: 'resize', cols: 9, rows: 9 }),
      () => watcher.say({ type: 'release' }),
    ]) {
      const before = watcher.news.length
      deed()
      await until(() => watcher.news.length > before)
      assert.equal(watcher.news.at(-1)!.type, 'refused')
    }
    const owner = await open(id, '?mode=view')
    assert.deepEqual([owner.hello.mayWrite, owner.hello.writer], [true, null])
    owner.say({ type: 'take' })
    await owner.told({ type: 'writer', writer: 'you' })
    owner.keys('yours\r')
    assert.equal((await watcher.closed).code, 1000)
    assert.match(String(watcher.bytes()), /got yours/)
    assert.deepEqual(watcher.news.at(-1), { type: 'ended', exit: 0, signal: null })
  })

  test('closes on what is no message, and goes on for the others', async () => {
    await using sandbox = await start('echo here; read line')
    const other = await open(sandbox.id, '?mode=view')
    const codes: Record<string, number> = {}
    for (const [name, message] of Object.entries({
      garbage: 'no json',
      'another type': '{"type":"delete"}',
      'no size': '{"type":"resize","cols":0,"rows":10}',
      'a size beyond reason': '{"cols":80,"rows":1e9}',
      'an extra': '{"type":"take","force":true}',
      'a deep one': '['.repeat(60_000),
      'a huge text': 'x'.repeat(100_000),
      'a huge frame': Buffer.alloc(100_000),
    })) {
      const viewer = await open(sandbox.id)
      viewer.socket.send(message)
      codes[name] = (await viewer.closed).code
    }
    const { 'a huge text': hugeText, 'a huge frame': hugeFrame, ...others } = codes
    assert.deepEqual([hugeText, hugeFrame], [1009, 1009])
    assert.deepEqual(new Set(Object.values(others)), new Set([1003]))
    await other.shows('here')
    assert.equal(other.socket.readyState, other.socket.OPEN)
  })

  test('refuses an offset that is none, and begins anew for one it never reached', async () => {
    await using sandbox = await start('printf 0123456789; read line')
    const { id } = sandbox
    for (const search of [
      '?offset=5',
      '?instance=x',
      '?instance=x&offset=-1',
      '?instance=x&offset=1.5',
      '?instance=x&offset=1e3',
      `?instance=x&offset=${'9'.repeat(30)}`,
      '?instance=x%0d%0a&offset=1',
      `?instance=${'x'.repeat(65)}&offset=1`,
      '?mode=root',
      '?mode=view&admin=1',
    ]) {
      assert.equal(await refusalOf(weaver, id, { search }), 400, search)
    }
    const known = await open(id)
    await known.shows('0123456789')
    const { instance } = known.hello
    for (const [search, gap, shown] of [
      [`?instance=${instance}&offset=4`, 0, '456789'],
      [`?instance=${instance}&offset=11`, null, '0123456789'],
      ['?instance=another&offset=4', null, '0123456789'],
    ] as const) {
      const viewer = await open(id, search)
      await until(() => viewer.next() === 10)
      assert.deepEqual([viewer.hello.gap, String(viewer.bytes())], [gap, shown])
      assert.equal(viewer.hello.instance, instance)
    }
  })

  test('takes no place at the daemon where its caller speaks no WebSocket after all', async () => {
    await using sandbox = await start('read line')
    const placesMax = 32 // At the daemon.
    const authorization = `Bearer ${await weaver.deps.tokenFor(userClaims())}`
    const headers = { authorization, connection: 'Upgrade', upgrade: 'websocket' }
    for (let at = 0; at < placesMax; at += 1) {
      const path = `/api/sandboxes/${sandbox.id}/terminal`
      const asked = request(new URL(path, weaver.url), { headers, agent: false }).end()
      const [answer] = (await once(asked, 'response')) as [IncomingMessage]
      answer.resume()
      assert.equal(answer.statusCode, 400)
    }
    await until(async () => (await refusalOf(weaver, sandbox.id)) === 101)
  })

  test("'s recording is read with the right to read, in its own organisation", async () => {
    await using sandbox = await start('printf shown; read line')
    await (await open(sandbox.id)).shows('shown')
    const path = `/api/sandboxes/${sandbox.id}/agent/recording`
    const response = await weaver.call('GET', path, undefined, mia)
    assert.equal(response.headers.get('content-type'), 'application/x-asciicast')
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff')
    const [head, moment] = (await response.text()).split('\n')
    assert.equal((JSON.parse(head!) as { version: number }).version, 2)
    assert.match(moment!, /"o", "shown"/)
    assert.equal((await weaver.call('GET', path, undefined, stranger)).status, 403)
    const { id } = await weaver.create()
    const early = await weaver.call('GET', `/api/sandboxes/${id}/agent/recording`)
    assert.equal(early.status, 409)
    await weaver.remove(id)
  })

  test('is refused before there is an agent, and after there is a sandbox', async () => {
    const { id } = await weaver.create()
    assert.equal(await refusalOf(weaver, id), 409)
    await weaver.remove(id)
    assert.equal(await refusalOf(weaver, id), 410)
    assert.equal(await refusalOf(weaver, '0000000000000000'), 404)
  })

  test('holds neither agent nor others up for a viewer that takes nothing', async () => {
    // As fast as a viewer takes it, or one that takes all would be cut too.
    const script = 'for i in $(seq 200); do head -c 100000 /dev/zero | tr "\\0" x; sleep 0.01; done'
    await using sandbox = await start(`stty raw -echo; head -c 1 >/dev/null; ${script}; read line`)
    const [slow, quick] = [await open(sandbox.id), await open(sandbox.id)]
    slow.socket.pause()
    quick.say({ type: 'take' })
    quick.keys('\r')
    const startedAt = performance.now()
    await until(async () => (await outputBytes(sandbox.id)) === 20_000_000, 30_000)
    await until(() => quick.next() === 20_000_000, 30_000)
    assert.ok(performance.now() - startedAt < 30_000)
    slow.socket.resume()
    assert.equal((await slow.closed).code, 1013)
    const seen = slow.next()
    assert.ok(seen < 20_000_000 - 4 * 1024 ** 2, String(seen))
    const search = `?instance=${slow.hello.instance}&offset=${seen}`
    const again = await open(sandbox.id, search)
    assert.equal(again.hello.offset, 20_000_000 - 4 * 1024 ** 2)
    assert.equal(again.hello.gap, again.hello.offset - seen)
    await until(() => again.next() === 20_000_000)
  })

  test('takes a thousand connections without harm to another sandbox', async () => {
    await using sandbox = await start('echo here; read line')
    await using other = await start('echo there; read line')
    const tried = await Promise.allSettled(
      Array.from({ length: 1_000 }, () => open(sandbox.id, '?mode=view')),
    )
    const opened = tried.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    assert.equal(opened.length, 32)
    for (const one of tried) {
      if (one.status === 'rejected') assert.match(String(one.reason), /503/)
    }
    const there = await open(other.id)
    await there.shows('there')
    for (const { socket } of opened) socket.terminate()
    await until(async () => (await refusalOf(weaver, sandbox.id)) === 101)
    assert.equal((await weaver.exec(sandbox.id, 'echo alive')).output, 'alive\n')
  })

  for (const [title, kill] of [
    ['is deleted', (id: string) => weaver.remove(id)],
    ['kills all in it', async (_id: string, viewer: Viewer) => viewer.keys('die\r')],
  ] as const) {
    test(`tells within three seconds that its sandbox ${title}`, async () => {
      const sandbox = await start('read line; kill -KILL -1; sleep 60')
      const viewer = await open(sandbox.id)
      const watcher = await open(sandbox.id, '?mode=view', mia)
      const startedAt = performance.now()
      void kill(sandbox.id, viewer)
      const ends = await Promise.all([viewer.closed, watcher.closed])
      assert.ok(performance.now() - startedAt < 3_000)
      const reason = title === 'is deleted' ? 'deleted' : 'lost'
      for (const end of ends) assert.deepEqual(end, { code: 4410, reason })
    })
  }

  test('tells its viewers to come back when the role stops, which it does at once', async () => {
    const sandbox = await start('read line')
    const viewer = await open(sandbox.id)
    let stoppedMs = Number.NaN
    const startedAt = performance.now()
    await weaver.restart(async () => {
      stoppedMs = performance.now() - startedAt
    })
    assert.equal((await viewer.closed).code, 1001)
    assert.ok(stoppedMs < 10_000, String(stoppedMs))
  })
})
