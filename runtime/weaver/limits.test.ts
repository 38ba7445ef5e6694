// Agents that take too much. Each ends in its own exact way, and the machine does not feel it.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AgentState, Sandbox } from './api.ts'
import { measureFolder } from './folders.ts'
import { listProcesses, uidOf } from './processes.ts'
import { assertNoFolders, startTestWeaver, type TestWeaver } from './testing.ts'

const rows = [
  { backend: 'bubblewrap', cgroups: 'auto', limits: 'cgroup' },
  { backend: 'unshare', cgroups: 'off', limits: 'rlimits' },
] as const

const mebibyte = 1024 * 1024
const hog = 'const kept = []; setInterval(() => kept.push(Buffer.alloc(8 * 1024 * 1024, 1)), 20)'
const manyHogs = `node -e '${hog}' & node -e '${hog}' & node -e '${hog}' & wait; sleep 30`
const bomb = "perl -e 'while (1) { fork }'"
const filler = 'i=0; while :; do i=$((i+1)); head -c 4000000 /dev/zero > /work/$i; done'
const printer = 'head -c 100000000 /dev/zero | tr "\\0" x'
const deaf = `trap '' TERM; while :; do sleep 1; done`

for (const { backend, cgroups, limits } of rows) {
  describe(`held by ${backend} and ${limits}, an agent that`, () => {
    const owned = new AsyncDisposableStack()
    let weaver: TestWeaver

    before(async () => {
      const memoryBytesMax = (limits === 'cgroup' ? 200 : 600) * mebibyte
      weaver = owned.use(await startTestWeaver({ config: { backend, cgroups, memoryBytesMax } }))
    })
    after(() => owned.disposeAsync())
    afterEach(async () => {
      const { items } = (await (await weaver.call('GET', '/api/sandboxes?state=ready')).json()) as {
        items: Sandbox[]
      }
      for (const { id } of items) await weaver.remove(id)
    })

    /** Starts it, and answers what became of it. */
    async function live(
      script: string,
      during: (id: string, processes: () => number) => Promise<void> = async () => {},
    ) {
      const { id, level } = await weaver.create()
      assert.equal(level.limits, limits)
      const path = `/api/sandboxes/${id}/agent`
      const body = { argv: ['sh', '-c', script], env: {}, files: [], timeMsMax: 60_000 }
      assert.equal((await weaver.call('POST', path, body)).status, 202)
      await during(id, () => processesOf(weaver).length)
      const state = (await (await weaver.call('GET', `${path}?waitMs=30000`)).json()) as AgentState
      return { id, state }
    }

    async function assertGone(id: string) {
      await weaver.remove(id)
      assert.deepEqual(processesOf(weaver), [])
      await assertNoFolders(weaver)
      assert.equal(existsSync(`/sys/fs/cgroup/pids/treadle-${id}`), false)
    }

    test('forks without end is cut for its processes, within their limit', async () => {
      const counts: number[] = []
      const { id, state } = await live(bomb, async (_id, processes) => {
        for (let look = 0; look < 10; look += 1) {
          counts.push(processes())
          await sleep(50)
        }
      })
      assert.deepEqual([state.state, state.cut], ['ended', 'processes'])
      // What raises the walls is outside of the limit's namespace, or threads of the daemon.
      const walls = 8
      assert.ok(Math.max(...counts) <= weaver.config.processesMax + walls, `${counts}`)
      assert.equal(
        (
          await weaver.call('POST', `/api/sandboxes/${id}/exec`, {
            argv: ['true'],
            timeoutMs: 1_000,
          })
        ).status,
        409,
      )
      await assertGone(id)
    })

    test('fills the disk is cut for it', async () => {
      const { id, state } = await live(filler)
      assert.deepEqual([state.state, state.cut], ['ended', 'disk'])
      const used = await measureFolder(join(weaver.config.sandboxFolder, id))
      await sleep(500)
      const later = await measureFolder(join(weaver.config.sandboxFolder, id))
      assert.equal(later!.bytes, used!.bytes, 'it still writes')
      await assertGone(id)
    })

    test('takes all memory is cut for it', async () => {
      const { id, state } = await live(manyHogs)
      assert.deepEqual([state.state, state.cut], ['ended', 'memory'])
      await assertGone(id)
    })

    test('prints 100 MB ends by itself, and little of it is kept', async () => {
      const before = process.memoryUsage.rss()
      const { id, state } = await live(printer)
      assert.deepEqual([state.exit, state.cut, state.outputBytes], [0, null, 100_000_000])
      const output = await weaver.call('GET', `/api/sandboxes/${id}/agent/output?tail=1000000000`)
      assert.equal((await output.arrayBuffer()).byteLength, 4 * mebibyte)
      assert.ok(process.memoryUsage.rss() - before < 60 * mebibyte)
      await assertGone(id)
    })

    test('is deaf to TERM is stopped all the same', async () => {
      let stoppedMs = 0
      const { id, state } = await live(deaf, async (one) => {
        await sleep(500) // It needs a moment to become deaf.
        const startedAt = performance.now()
        await weaver.call('DELETE', `/api/sandboxes/${one}/agent`)
        stoppedMs = performance.now() - startedAt
      })
      assert.deepEqual([state.state, state.cut], ['ended', 'stop'])
      assert.ok(stoppedMs > 2_500 && stoppedMs < 6_000, `${stoppedMs} ms`)
      await assertGone(id)
    })

    test('kills everything it can see has ended its sandbox, and no more', async () => {
      const { id, state } = await live('sleep 0.2; kill -9 -1')
      assert.deepEqual([state.state, state.cut], ['ended', 'lost'])
      await assertGone(id)
    })
  })
}

function processesOf({ config }: TestWeaver) {
  const isOurs = (uid: number | null) =>
    uid !== null && uid >= config.uidBase && uid < config.uidBase + config.uidCount
  return listProcesses().filter(({ pid, isZombie }) => !isZombie && isOurs(uidOf(pid)))
}
