// Agents that silence their sandbox's daemon: the answer about them comes all the same, and soon.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AgentState, Sandbox } from './api.ts'
import { until } from './testing/until.ts'
import { openViewer } from './testing/viewer.ts'
import { startTestWeaver, type TestWeaver } from './testing.ts'

const stopDaemon = `for one in /proc/[0-9]*; do
  case "$(tr '\\0' ' ' < $one/cmdline 2>/dev/null)" in *--[s]ocket*--work*) kill -STOP \${one#/proc/};; esac
done; echo done`

// Much of each is waiting, and each has a sandbox of its own.
describe('a daemon that its agent stops', { concurrency: true }, () => {
  const owned = new AsyncDisposableStack()
  let weaver: TestWeaver
  before(async () => {
    weaver = owned.use(await startTestWeaver())
  })
  after(() => owned.disposeAsync())

  async function start(script: string, timeMsMax = 60_000) {
    const { id } = await weaver.create()
    const agent = { argv: ['sh', '-c', script], env: {}, files: [], timeMsMax }
    const { status } = await weaver.call('POST', `/api/sandboxes/${id}/agent`, agent)
    assert.equal(status, 202)
    return id
  }
  const ask = async (method: 'GET' | 'DELETE', id: string): Promise<AgentState> =>
    (await weaver.call(method, `/api/sandboxes/${id}/agent?waitMs=60000`)).json() as never
  const reasonOf = async (id: string) =>
    ((await (await weaver.call('GET', `/api/sandboxes/${id}`)).json()) as Sandbox).endReason

  test('is told as mute within seconds, its sandbox is ended, and its viewers hear why', async () => {
    const id = await start(`read line; ${stopDaemon}; sleep 60`)
    const viewer = await openViewer(weaver, id)
    const startedAt = performance.now()
    viewer.keys('\r')
    const { state, cut } = await ask('GET', id)
    assert.deepEqual([state, cut], ['ended', 'mute'])
    assert.ok(performance.now() - startedAt < 9_000, String(performance.now() - startedAt))
    assert.equal(await reasonOf(id), 'mute')
    assert.deepEqual(await viewer.closed, { code: 4410, reason: 'mute' })
  })

  test('does not delay the answer to a stop', async () => {
    const id = await start(`read line; ${stopDaemon}; sleep 60`)
    ;(await openViewer(weaver, id)).keys('\r')
    await sleep(1_500) // For the agent's deed.
    const startedAt = performance.now()
    assert.equal((await ask('DELETE', id)).cut, 'mute')
    assert.ok(performance.now() - startedAt < 9_000)
  })

  test('does not hide a limit that was met', async () => {
    // Past its disk limit it is cut from outside, and then nobody lets the daemon go on.
    const id = await start(`sleep 1; ${stopDaemon}; head -c 100000000 /dev/zero > full; sleep 60`)
    const startedAt = performance.now()
    const { state, cut } = await ask('GET', id)
    assert.deepEqual([state, cut], ['ended', 'disk'])
    assert.ok(performance.now() - startedAt < 15_000)
    assert.equal(await reasonOf(id), 'disk')
  })

  test('is none where many ask at once and wait', async () => {
    const id = await start('read line')
    const leave = new AbortController()
    const waiting = Array.from({ length: 80 }, () => {
      const url = new URL(`/api/sandboxes/${id}/agent?waitMs=60000`, weaver.url)
      const headers = weaver.deps
        .tokenFor({ kind: 'service', sub: 'spool' })
        .then((token) => ({ authorization: `Bearer ${token}` }))
      return headers.then((sent) =>
        fetch(url, { headers: sent, signal: leave.signal }).catch(() => undefined),
      )
    })
    await sleep(13_000)
    assert.equal(await reasonOf(id), null)
    leave.abort()
    await Promise.all(waiting)
    await until(async () => (await weaver.exec(id, 'true')).exit === 0)
    await weaver.remove(id)
  })
})
