import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { createAccess } from '#kernel/access.ts'
import { createLog } from '#kernel/log.ts'
import type { Claims } from '#kernel/tokens.ts'
import { serviceClaims, userClaims } from '../testing/deps.ts'
import type { AgentState, Sandbox } from './api.ts'
import { faultTable } from './errors.ts'
import { assertNoFolders, startTestWeaver, type TestWeaver } from './testing.ts'

const policies = new URL('../../policies/access/', import.meta.url)
const agent = (script: string) => ({
  argv: ['sh', '-c', script],
  env: {},
  files: [],
  timeMsMax: 60_000,
})

describe('weaver', () => {
  const owned = new AsyncDisposableStack()
  let weaver: TestWeaver
  let clock = Date.now()

  before(async () => {
    const access = createAccess(createLog('silent', process.stderr), policies)
    weaver = owned.use(
      await startTestWeaver({ access, now: () => new Date(clock), config: { sandboxesMax: 3 } }),
    )
  })
  after(() => owned.disposeAsync())
  const status = async (method: string, path: string, body?: unknown, claims?: Claims) =>
    (await weaver.call(method, path, body, claims)).status

  test('makes sandboxes for spool alone', async () => {
    assert.equal(await status('POST', '/api/sandboxes', {}, userClaims()), 403)
    assert.equal(await status('POST', '/api/sandboxes', {}, serviceClaims('threads')), 403)
  })

  test('refuses a request with every problem at once', async () => {
    const response = await weaver.call('POST', '/api/sandboxes', { org: '', isolation: 'some' })
    const { code, problems } = (await response.json()) as { code: string; problems: unknown[] }
    assert.equal(code, 'weaver/invalid')
    assert.ok(problems.length > 3)
  })

  test("shows a sandbox to its organisation's people, and to no other", async () => {
    const { id } = await weaver.create()
    const path = `/api/sandboxes/${id}`
    const member = userClaims({ sub: 'mia', role: 'member', channel: 'session' })
    const stranger = userClaims({ org: 'elsewhere' })
    assert.equal(await status('GET', path, undefined, member), 200)
    assert.equal(await status('GET', path, undefined, stranger), 403)
    const list = (await (
      await weaver.call('GET', '/api/sandboxes', undefined, stranger)
    ).json()) as { items: Sandbox[] }
    assert.deepEqual(list.items, [])
    const exec = { argv: ['true'], timeoutMs: 1_000 }
    assert.equal(await status('POST', `${path}/exec`, exec, member), 403)
    assert.equal(await status('POST', `${path}/exec`, exec, userClaims()), 200)
    assert.equal(await status('DELETE', path, undefined, member), 403)
    assert.equal(await status('DELETE', path, undefined, userClaims()), 204)
  })

  test('lists as many as are asked for, of one purpose, page by page', async () => {
    const all: Sandbox[] = []
    for (const purpose of ['agent', 'gates', 'agent'] as const) {
      all.push(await weaver.create({ loop: 'listed', purpose }))
    }
    // The clock of this test stands still, so the id alone orders them.
    const made = all.map(({ id }) => id).toSorted((a, b) => (a < b ? 1 : -1))
    const list = async (search: string) =>
      (await (await weaver.call('GET', `/api/sandboxes?loop=listed${search}`)).json()) as {
        items: Sandbox[]
        cursor: string | null
      }
    const ids = ({ items }: { items: Sandbox[] }) => items.map(({ id }) => id)
    const first = await list('&limit=2')
    assert.deepEqual([ids(first), first.cursor], [made.slice(0, 2), made[1]])
    const second = await list(`&limit=2&cursor=${first.cursor}`)
    assert.deepEqual([ids(second), second.cursor], [made.slice(2), null])
    assert.equal((await list('&limit=3')).cursor, null)
    assert.deepEqual(ids(await list('&purpose=gates')), [all[1]!.id])
    await weaver.remove(made[0]!)
    assert.deepEqual(ids(await list('&state=ended')), [made[0]])
    for (const search of ['limit=0', 'limit=201', 'limit=x', 'purpose=other', 'state=x', 'a=b']) {
      assert.equal(await status('GET', `/api/sandboxes?${search}`), 400, search)
    }
    for (const id of made.slice(1)) await weaver.remove(id)
  })

  test('holds no more sandboxes than it may, and knows none by a made-up id', async () => {
    const made = await Promise.all(['a', 'b', 'c'].map((loop) => weaver.create({ loop })))
    await assert.rejects(weaver.create(), /503.*weaver\/full/)
    for (const { id } of made) await weaver.remove(id)
    assert.equal(await status('GET', '/api/sandboxes/0000000000000000'), 404)
  })

  test("takes a body up to its limit, and gives the daemon's refusals on", async () => {
    const { id } = await weaver.create()
    const large = new Uint8Array(weaver.config.checkoutBytesMax + 1)
    const path = `/api/sandboxes/${id}/checkout?sha=${'0'.repeat(40)}`
    assert.equal(await status('PUT', path, large), 413)
    let said = 'pod/busy' // The daemon still puts away what was cut off.
    for (let look = 0; look < 100 && said.includes('pod/busy'); look += 1) {
      const refused = await weaver.call('PUT', path, new Uint8Array(10))
      said = `${refused.status} ${((await refused.json()) as { message: string }).message}`
      await sleep(50)
    }
    assert.match(said, /^409 .*pod\/bundle-refused/)
    await weaver.remove(id)
  })

  test("shows the agent's terminal and takes keys", async () => {
    const { id } = await weaver.create()
    await weaver.call(
      'POST',
      `/api/sandboxes/${id}/agent`,
      agent('echo ready; read word; echo "got $word"; stty size'),
    )
    const url = `${weaver.url.href.replace('http', 'ws')}api/sandboxes/${id}/terminal`
    const refused = new WebSocket(url)
    await assert.rejects(once(refused, 'open'), /401/)
    const headers = { authorization: `Bearer ${await weaver.deps.tokenFor(userClaims())}` }
    const terminal = new WebSocket(url, { headers })
    let shown = ''
    terminal.on('message', (data) => (shown += String(data)))
    await once(terminal, 'open')
    terminal.send(JSON.stringify({ cols: 91, rows: 17 }))
    terminal.send(Buffer.from('tea\r'))
    await once(terminal, 'close')
    assert.match(shown, /ready/)
    assert.match(shown, /got tea\r\n17 91/)
    await weaver.remove(id)
  })

  test('isolation none must be asked for, and its level promises little', async () => {
    const { id, level } = await weaver.create({ isolation: 'none' })
    assert.equal(level.backend, 'none')
    const held = level.probes.filter((probe) => probe.held).map(({ name }) => name)
    assert.ok(held.includes('no-new-privileges'))
    assert.ok(!held.includes('pid-namespace'))
    const { output } = await weaver.exec(
      id,
      'id -u; setsid sleep 1000 >/dev/null 2>&1 & cat /proc/self/comm',
    )
    assert.ok(Number(output.split('\n')[0]) >= weaver.config.uidBase)
    await weaver.remove(id)
    await assertNoFolders(weaver)
  })

  test('ends a sandbox that is overdue', async () => {
    const { id } = await weaver.create()
    clock += weaver.config.lifeMsMax + 1
    let shown: Sandbox
    do {
      await sleep(100)
      shown = (await (await weaver.call('GET', `/api/sandboxes/${id}`)).json()) as Sandbox
    } while (shown.state !== 'ended')
    assert.equal(shown.endReason, 'deadline')
    const state = (await (
      await weaver.call('GET', `/api/sandboxes/${id}/agent`)
    ).json()) as AgentState
    assert.deepEqual([state.state, state.cut], ['ended', 'lost'])
  })

  test('leaves nothing behind when it stops', async () => {
    const { id } = await weaver.create()
    await weaver.restart()
    const shown = (await (await weaver.call('GET', `/api/sandboxes/${id}`)).json()) as Sandbox
    assert.deepEqual([shown.state, shown.endReason], ['ended', 'shutdown'])
  })
})

test('each code of weaver has its status', (t) => {
  const statuses = Object.fromEntries(
    Object.entries(faultTable).map(([code, { status }]) => [code, status]),
  )
  t.assert.snapshot(statuses)
})
