// What happens when this role is killed, not stopped.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Sandbox } from './api.ts'
import { listProcesses, uidOf } from './processes.ts'
import { assertNoFolders, startTestWeaver, type TestWeaver } from './testing.ts'

const holder = fileURLToPath(new URL('./testing/hold-main.ts', import.meta.url))

type Left = { id: string; uid: number; cgroups: string[] }

for (const backend of ['bubblewrap', 'unshare'] as const) {
  test(`by ${backend}: a killed holder's sandboxes end, the next one clears up`, async () => {
    await using weaver = await startTestWeaver({ config: { backend } })
    let left!: Left
    await weaver.restart(async () => {
      left = await leaveBehind(weaver)
      for (let look = 0; processesOf(left.uid).length > 0; look += 1) {
        assert.ok(look < 100, 'sandboxes live on')
        await sleep(50)
      }
      const folders = readdirSync(weaver.config.sandboxFolder)
      assert.ok(folders.includes(left.id), 'the folder is still to be removed')
    })
    const shown = (await (await weaver.call('GET', `/api/sandboxes/${left.id}`)).json()) as Sandbox
    assert.deepEqual([shown.state, shown.endReason], ['ended', 'lost'])
    await assertNoFolders(weaver)
    const groups = left.cgroups.filter((folder) => existsSync(folder))
    assert.deepEqual(groups, [])
  })
}

/** A sandbox whose holder was killed while it ran. */
async function leaveBehind({ config, postgres }: TestWeaver): Promise<Left> {
  const child = spawn(process.execPath, [holder], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  try {
    child.stdin.end(JSON.stringify({ config, databaseUrl: postgres.url('weaver') }))
    const [id] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string]
    const text = 'select id, uid::int, cgroups from weaver.sandboxes where id = $1'
    const [left] = (await postgres.query(text, [id.trim()])) as [Left]
    assert.ok(processesOf(left.uid).length >= 3)
    return left
  } finally {
    child.kill('SIGKILL')
    await exited
  }
}

test('a process that has the number of a lost sandbox by chance is left alone', async () => {
  await using weaver = await startTestWeaver()
  const stranger = spawn('sleep', ['1000'])
  const insert = `insert into weaver.sandboxes (id, state, pid, pid_started, created_at, deadline)
    values ('00000000000000aa', 'starting', $1, '1', now(), now())`
  await weaver.restart(async () => {
    await weaver.postgres.query(insert, [stranger.pid])
  })
  const live = "select from weaver.sandboxes where state <> 'ended'"
  assert.deepEqual(await weaver.postgres.query(live), [])
  assert.equal(stranger.exitCode ?? stranger.signalCode, null)
  stranger.kill()
})

test('a sandbox whose row was never written is cleared up by its folder', async () => {
  await using weaver = await startTestWeaver()
  let left!: Left
  await weaver.restart(async () => {
    left = await leaveBehind(weaver)
    await weaver.postgres.query('delete from weaver.sandboxes where id = $1', [left.id])
  })
  assert.deepEqual(processesOf(left.uid), [])
  await assertNoFolders(weaver)
  const groups = left.cgroups.filter((folder) => existsSync(folder))
  assert.deepEqual(groups, [])
})

test('a sandbox whose daemon vanishes is told as lost, and cleared up', async () => {
  await using weaver = await startTestWeaver()
  const { id } = await weaver.create()
  const [row] = await weaver.postgres.query('select pid from weaver.sandboxes where id = $1', [id])
  process.kill(row!.pid as number, 'SIGKILL')
  let shown: Sandbox
  do {
    await sleep(50)
    shown = (await (await weaver.call('GET', `/api/sandboxes/${id}`)).json()) as Sandbox
  } while (shown.state !== 'ended')
  assert.equal(shown.endReason, 'lost')
  await assertNoFolders(weaver)
})

function processesOf(uid: number) {
  return listProcesses().filter(({ pid, isZombie }) => !isZombie && uidOf(pid) === uid)
}
