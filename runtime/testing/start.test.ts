// `npm start` as its users meet it: the first time, again, refused, and stopped in every way.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LoopSummary, Page } from '../spool/api.ts'
import { createOwnerClient } from '../start/watch.ts'
import type { Line } from './appliance.ts'
import { type Clone, createClone } from './clone.ts'
import { runCommand } from './command.ts'
import { git } from './demo-loop.ts'
import { npmStart, type Started } from './npm-start.ts'
import { processesOf } from './traces.ts'

const drainMsMax = 10_000
const ordinaryUser = 61_234 // Not in the passwd file either, as in some containers.
const passFields = [
  'loop',
  'name',
  'pass',
  'sha',
  'filesChanged',
  'gates',
  'usage',
  'costUsd',
  'next',
]

describe('npm start', () => {
  let clone: Clone
  let state: string
  let running: Started
  const start = (...flags: string[]) => npmStart(clone, `--state=${state}`, ...flags)
  before(() => {
    clone = createClone()
    rmSync(join(clone.folder, 'runtime/console/dist'), { recursive: true, force: true })
    state = mkdtempSync(join(tmpdir(), 'treadle-'))
    chmodSync(state, 0o711)
  })
  after(async () => {
    await running[Symbol.asyncDispose]()
    clone[Symbol.dispose]()
    rmSync(state, { recursive: true, force: true })
  })

  test('shows three rehearsal loops the first time, each with a red gate on its way to done', async () => {
    running = start()
    const ready = await running.ready()
    for (const field of ['url', 'proxyUrl', 'signInLink', 'state'])
      assert.equal(typeof ready[field], 'string', field)
    assert.equal(ready.state, state)
    assert.match(running.said(), /Built the console in [\d.]+ s/)
    await assertDemo(running, state)
  })

  test('makes a sign-in link that a look leaves whole and a click uses up', async () => {
    const { url, signInLink } = (await running.ready()) as unknown as Record<string, string>
    const look = await fetch(signInLink!)
    assert.equal(look.status, 200)
    assert.match(await look.text(), /form method="post"/)
    const code = new URL(signInLink!).searchParams.get('code')!
    const click = () =>
      fetch(`${url}/auth/sign-in`, {
        method: 'POST',
        body: new URLSearchParams({ code }),
        headers: { origin: url! },
        redirect: 'manual',
      })
    const first = await click()
    assert.equal(first.status, 303)
    const cookie = first.headers.getSetCookie()[0]!.split(';')[0]!
    assert.equal((await fetch(url!)).status, 401)
    const page = await fetch(url!, { headers: { cookie } })
    assert.equal(page.status, 200)
    const script = /src="(\/console\/assets\/[^"]+\.js)"/.exec(await page.text())![1]!
    assert.equal((await fetch(new URL(script, url!))).status, 200)
    const second = await click()
    assert.equal(second.status, 410)
    assert.deepEqual(second.headers.getSetCookie(), [])
  })

  test('is found by the command, which makes another link, and tells how it stands', async () => {
    const { url } = await running.ready()
    const link = await runCommand(state, 'login-link')
    assert.equal(link.exitCode, 0, link.said)
    assert.ok(link.said.includes(`${url}/auth/sign-in?code=`), link.said)
    const status = await runCommand(state, 'status')
    assert.equal(status.exitCode, 0, status.said)
    for (const role of ['auth', 'proxy', 'weaver', 'spool', 'threads'])
      assert.ok(status.said.includes(role), status.said)
    const doctor = await runCommand(state, 'doctor')
    assert.equal(doctor.exitCode, 0, doctor.said)
    assert.match(doctor.said, /git/)
  })

  test('is refused on a state folder that another one runs on', async () => {
    const second = start()
    assert.equal(await second.ended(), 1)
    assert.equal(
      second.said().trim(),
      `Treadle already runs on ${state}. Stop it first, or choose another --state.`,
    )
  })

  test('drains within ten seconds of a SIGTERM to npm', async () => {
    running.npm.kill('SIGTERM')
    await assertGone(running)
  })

  test('comes up a second time without a demo, and drains when npm is killed', async () => {
    running = start()
    const { startMs } = await running.ready()
    assert.ok((startMs as number) < 10_000, `${startMs} ms to ready`)
    await sleep(1_000)
    assert.deepEqual(
      running.lines.map(({ event }) => event),
      ['ready'],
    )
    running.npm.kill('SIGKILL')
    await assertGone(running)
  })

  test('drains after Ctrl-C', async () => {
    running = start()
    await running.ready()
    process.kill(-running.npm.pid!, 'SIGINT')
    await assertGone(running)
  })

  test('runs some roles alone, and says which are missing', async () => {
    running = start('--role=proxy,threads')
    const ready = await running.ready()
    assert.equal(ready.url, null)
    assert.equal(typeof ready.proxyUrl, 'string')
    assert.deepEqual(ready.missing, ['auth', 'weaver', 'spool'])
    const status = await runCommand(state, 'status')
    assert.equal(status.exitCode, 1)
    assert.match(status.said, /without a front door/)
    running.npm.kill('SIGTERM')
    await assertGone(running)
  })

  test('tells of every wrong flag at once', async () => {
    const refused = start('--parallel=many', '--role=proxy,loom', '--colour')
    assert.equal(await refused.ended(), 2)
    for (const problem of ['--parallel = many', '--role = loom', '--colour'])
      assert.ok(refused.said().includes(problem), refused.said())
    const environment = start('--environment=nope')
    assert.equal(await environment.ended(), 2)
    assert.match(environment.said(), /--environment = nope: No such environment. Choose from: /)
  })

  test('names a port that is in use, and the flag that chooses another', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    for (const flag of ['--port', '--proxy-port']) {
      const refused = start(`${flag}=${port}`)
      assert.equal(await refused.ended(), 1)
      assert.ok(refused.said().startsWith(`Port ${port} is in use`), refused.said())
      assert.ok(refused.said().includes(`with ${flag}=N`), refused.said())
    }
    other.close()
  })

  async function assertGone({ ended }: Started): Promise<void> {
    const stoppedAt = Date.now()
    await ended()
    while (processesOf(state).length > 0 && Date.now() - stoppedAt < drainMsMax) await sleep(100)
    assert.deepEqual(processesOf(state), [])
  }
})

test('npm start of an ordinary user shows the same three loops, in its own home', async () => {
  const uid = process.getuid?.() === 0 ? ordinaryUser : undefined // Or this one is an ordinary user's.
  using clone = createClone(uid)
  await using running = npmStart({ ...clone, uid })
  const { state } = (await running.ready()) as unknown as { state: string }
  assert.equal(state, join(clone.home, '.local/state/treadle'))
  await assertDemo(running, state)
  running.npm.kill('SIGTERM')
  assert.equal(await running.ended(), 0, running.said())
})

async function assertDemo(running: Started, state: string): Promise<void> {
  const ended = await running.until('ended', 3, 90_000)
  const client = createOwnerClient((await running.ready()).url as string, state)
  const { items } = await client.get<Page<LoopSummary>>('/api/loops')
  assert.equal(items.length, 3)
  assert.ok(new Set(items.map(({ agent }) => agent)).size >= 2, 'at least two agents')
  for (const { loop, ending, exitCode, branch, repository } of ended) {
    assert.deepEqual([ending, exitCode], ['done', 0])
    const passes = running.lines.filter((line) => line.event === 'pass' && line.loop === loop)
    assertPasses(passes)
    const commits = git(repository as string, 'log', '--format=%s', branch as string).split('\n')
    assert.equal(commits.length, passes.length + 1)
  }
  assertParallel(running.lines)
}

function assertPasses(passes: Line[]): void {
  assert.ok(passes.length >= 2)
  for (const pass of passes) for (const field of passFields) assert.ok(field in pass, field)
  const exits = passes.map(({ gates }) => (gates as { exit: number }[])[0]!.exit)
  assert.notEqual(exits[0], 0, 'a red gate on the way')
  assert.equal(exits.at(-1), 0)
}

/** All three are begun before the first has ended. */
function assertParallel(lines: readonly Line[]): void {
  const events = lines.map(({ event }) => event)
  assert.ok(events.lastIndexOf('started') < events.indexOf('ended'), events.join(' '))
}
