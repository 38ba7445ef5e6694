import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { testTrust, userClaims } from '../testing/deps.ts'
import type { Loop, NewLoopInput, Pass } from './api.ts'
import type { CrashOptions } from './testing/main.ts'
import {
  agent,
  git,
  newLoop,
  promise,
  type Scene,
  startScene,
  testConfig,
  until,
} from './testing/scene.ts'

const leaseMs = 60_000 // So long that a loop which goes on at once was taken back by its own owner.

describe('a fault in mid-loop', () => {
  let scene: Scene
  const folder = mkdtempSync(join(tmpdir(), 'seen-'))
  const seen = join(folder, 'runs')
  before(async () => {
    scene = await startScene()
  })
  beforeEach(() => rmSync(seen, { force: true }))
  afterEach(() => scene.stop())
  after(async () => {
    await scene[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })
  const hasQuarantine = ({ loop }: Pass) =>
    existsSync(join(scene.deps.folder, `repos/${loop}.git/refs/treadle/${loop}/quarantine`))
  const runs = () => (existsSync(seen) ? readFileSync(seen, 'utf8').split('\n').length - 1 : 0)

  /** A slow agent that spends the same in each run, and slow gates. */
  const slow = (): Partial<NewLoopInput> => ({
    agent: agent(
      `echo run >> ${seen}; spend 100 10 1000; record '"last":null'; echo x >> x; sleep 1; say '${promise}'`,
    ),
    gates: [{ name: 'slow', command: `echo gate >> ${seen}; sleep 1` }],
  })

  /** A spool in a process of its own, with the scene's folder and database. */
  async function startChild() {
    const options: CrashOptions = {
      databaseUrl: scene.postgres.url('spool'),
      folder: scene.deps.folder,
      peers: [
        ['weaver', scene.doubles.weaver.href],
        ['proxy', scene.doubles.proxy.href],
      ],
      trust: testTrust,
      config: { ...testConfig, leaseMs },
    }
    const script = fileURLToPath(new URL('./testing/main.ts', import.meta.url))
    const child = spawn(process.execPath, [script, JSON.stringify(options)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    const url = new URL(line.toString().trim())
    const authorization = `Bearer ${await scene.deps.tokenFor(userClaims())}`
    const headers = { authorization, 'content-type': 'application/json' }
    return {
      async submit(loop: Partial<NewLoopInput>): Promise<Loop> {
        const body = JSON.stringify(newLoop(scene.source, loop))
        return (await (
          await fetch(new URL('/api/loops', url), { method: 'POST', headers, body })
        ).json()) as Loop
      },
      async pass(id: string): Promise<Pass | undefined> {
        return (
          (await (
            await fetch(new URL(`/api/loops/${id}/passes`, url), { headers })
          ).json()) as Pass[]
        )[0]
      },
      async kill() {
        child.kill('SIGKILL')
        await once(child, 'exit')
      },
    }
  }

  for (const [title, hasCome, attempts, agentRuns] of [
    ['before its sandbox', (pass?: Pass) => pass !== undefined, [1, 2], [1, 2]],
    ['while the agent runs', (pass?: Pass) => pass?.sandbox && runs() > 0, [2], [2]],
    ['when its commit has come in', (pass?: Pass) => pass && hasQuarantine(pass), [1, 2], [1, 2]],
    ['while the gates run', (pass?: Pass) => pass?.phase === 'gates' && runs() > 1, [1], [1]],
  ] as const) {
    test(`a process that is killed ${title} goes on at its next start, and nothing counts twice`, async () => {
      const child = await startChild()
      const { id } = await child.submit(slow())
      await until(async () => (hasCome(await child.pass(id)) ? true : undefined))
      await child.kill()
      await scene.start({ leaseMs })
      const loop = await scene.ended(id)
      assert.deepEqual([loop.ending, loop.passes], ['done', 1])
      const [pass] = await scene.passes(id)
      assert.ok((attempts as readonly number[]).includes(pass!.attempt))
      const started = readFileSync(seen, 'utf8')
        .split('\n')
        .filter((line) => line === 'run').length
      assert.ok((agentRuns as readonly number[]).includes(started))
      assert.equal(loop.costNanoUsd, started * 1_000, 'every run of the agent is booked, once')
      assert.equal(git(scene.source, 'rev-list', '--count', `main..${loop.branch}`), '1')
      assert.equal((await scene.events(id)).filter(({ event }) => event === 'pass').length, 1)
      assert.equal(scene.doubles.boxes.size, 0, 'no sandbox is left')
      assert.deepEqual(pass!.changes, { files: 1, additions: 1, deletions: 0 })
    })
  }

  test('a role that is stopped gives its loop back, and the next start goes on', async () => {
    await scene.start({ leaseMs })
    const { id } = await scene.submit(slow())
    await until(async () => (runs() > 0 ? true : undefined))
    await scene.stop()
    const [row] = await scene.postgres.query(
      'select state, lease_owner from spool.loops where id = $1',
      [id],
    )
    assert.deepEqual(row, { state: 'queued', lease_owner: null })
    assert.equal(scene.doubles.boxes.size, 0)
    await scene.start({ leaseMs })
    assert.equal((await scene.ended(id)).ending, 'done')
  })

  test('a runner that loses its lease stops at once, and writes nothing more', async () => {
    await scene.start()
    const { id } = await scene.submit(slow())
    await until(async () => (runs() > 0 ? true : undefined))
    const stolen =
      "lease_fence = lease_fence + 1, lease_owner = 'other', lease_until = now() + interval '1 minute'"
    await scene.postgres.query(`update spool.loops set ${stolen} where id = $1`, [id])
    await until(async () => (scene.doubles.boxes.size === 0 ? true : undefined))
    const before = await scene.postgres.query('select * from spool.passes where loop = $1', [id])
    await sleep(500)
    assert.deepEqual(
      await scene.postgres.query('select * from spool.passes where loop = $1', [id]),
      before,
    )
    await scene.postgres.query('update spool.loops set lease_until = now() where id = $1', [id])
    const loop = await scene.ended(id)
    assert.deepEqual([loop.ending, loop.passes, loop.costNanoUsd], ['done', 1, 2_000])
  })

  test('a database that is away for a while in mid-pass stops no agent, and nothing counts twice', async () => {
    await scene.start({ leaseMs: 15_000 })
    const { id } = await scene.submit(slow())
    await until(async () => (runs() > 0 ? true : undefined))
    await scene.postgres.kill()
    await sleep(4_000)
    await scene.postgres.start()
    const loop = await scene.ended(id)
    assert.deepEqual([loop.ending, loop.passes, loop.costNanoUsd], ['done', 1, 1_000])
    assert.equal((await scene.passes(id))[0]!.attempt, 1)
    assert.deepEqual(readFileSync(seen, 'utf8'), 'run\ngate\n')
    const events = await scene.events(id)
    assert.deepEqual(
      events.map(({ seq }) => seq),
      events.map((_, at) => at + 1),
    )
  })

  test('a machine that fails three times in a row ends the loop as failed', async () => {
    await scene.start()
    scene.doubles.refuse.push('weaver/no-start', 'weaver/no-start', 'weaver/no-start')
    const { id } = await scene.submit()
    for (const failures of [1, 2]) {
      await until(async () => {
        const { state, reason } = await scene.loop(id)
        return (state === 'paused' && reason?.includes('did not come up')) || undefined
      })
      const [row] = await scene.postgres.query('select failures from spool.loops where id = $1', [
        id,
      ])
      assert.equal(row!['failures'], failures)
      await scene.postgres.query('update spool.loops set ready_at = now() where id = $1', [id])
      await until(async () =>
        (await scene.passes(id))[0]!.attempt === failures + 1 ? true : undefined,
      )
    }
    assert.equal((await scene.ended(id)).ending, 'failed')
  })

  test('a source that is gone at the end leaves a bundle, with the reason', async () => {
    await scene.start()
    const { id } = await scene.submit(slow())
    await until(async () => (runs() > 0 ? true : undefined))
    const away = `${scene.source}-away`
    renameSync(scene.source, away)
    const loop = await scene.ended(id)
    renameSync(away, scene.source)
    assert.deepEqual([loop.ending, loop.branch], ['done', null])
    assert.match(loop.reason!, /bundle: .*Nothing is at/)
    git(scene.source, 'fetch', '--quiet', loop.bundle!, `refs/heads/*:refs/heads/*`)
    assert.equal(git(scene.source, 'show', `treadle/fix-${id.slice(0, 8)}:x`), 'x')
  })
})
