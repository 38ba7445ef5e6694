// What a whole Treadle leans on goes away for a while: PostgreSQL, the model in mid-answer, the provider's patience.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Loop } from '../spool/api.ts'
import { startAppliance, type TestAppliance } from './appliance.ts'
import { createDemoLoop } from './demo-loop.ts'
import { assertAllBooked, assertAllDone, assertSpent, submitThree } from './loop-proof.ts'
import { planFault, readCallLog } from './rehearsal-desk.ts'
import { processesOf } from './traces.ts'

const awayMs = 10_000

// Each has a Treadle of its own, and most of each is waiting: they go on side by side.
describe('loops go on to done', { concurrency: true }, () => {
  test('after PostgreSQL was killed whenever it came up, for ten seconds in mid-pass', async () => {
    await using treadle = await startAppliance('--parallel=3')
    const loops = await submitThree(treadle)
    await inMidPass(treadle, loops)
    for (const until = Date.now() + awayMs; Date.now() < until; await sleep(20)) {
      const pid = findServer(treadle)
      if (pid !== null) process.kill(pid, 'SIGKILL')
    }
    await assertWhole(treadle, loops)
  })

  test('after PostgreSQL stood still for ten seconds in mid-pass', async () => {
    await using treadle = await startAppliance('--parallel=3')
    const loops = await submitThree(treadle)
    await inMidPass(treadle, loops)
    const frozen = processesOf(dataOf(treadle)).map(({ pid }) => pid)
    assert.ok(frozen.length > 5, 'the server and its clients')
    signalAll(frozen, 'SIGSTOP')
    await sleep(awayMs)
    signalAll(frozen, 'SIGCONT')
    await assertWhole(treadle, loops)
  })

  test('after the model was cut in mid-answer, and the cut calls are booked as estimated', async () => {
    await using treadle = await startAppliance('--parallel=3')
    const before = await assertAllBooked(treadle)
    await planFault(treadle.state, { cutAfter: 3, times: 6 })
    const loops = await submitThree(treadle, ['builtin', 'pi', 'codex'])
    await assertWhole(treadle, loops)
    const cut = readCallLog(treadle.state).filter(({ end }) => end === 'cut').length
    assert.equal(cut, 6)
    const booked = await assertAllBooked(treadle)
    assert.ok(booked.estimated - before.estimated >= cut, JSON.stringify({ before, booked }))
  })

  test('after a provider that limits the rate was waited for: a pause, and no pass of its own', async () => {
    await using treadle = await startAppliance()
    await planFault(treadle.state, {
      status: 429,
      type: 'rate_limit_error',
      headers: { 'retry-after': '5' },
    })
    const loop = await treadle.submit(await createDemoLoop(treadle.state, 'fix-adder'))
    const paused = await treadle.until('the pause', async () => {
      const found = await treadle.loop(loop.id)
      return found.state === 'paused' && found
    })
    assert.match(paused.reason!, /answered 429: rate limited/)
    assert.equal(paused.passes, 0)
    await planFault(treadle.state, {})
    await assertWhole(treadle, [loop])
    const passes = await treadle.passes(loop.id)
    assert.equal(passes.length, 2, 'as many as without the wait')
    assert.ok(passes[0]!.attempt > 1)
  })
})

const inMidPass = (treadle: TestAppliance, loops: readonly Loop[]) =>
  treadle.until('a pass under way', async () => {
    const passes = await Promise.all(loops.map(({ id }) => treadle.passes(id)))
    return passes.every((of) => of.at(-1)?.sandbox)
  })

const dataOf = ({ state }: TestAppliance) => join(state, 'postgres/data')

function findServer(treadle: TestAppliance): number | null {
  try {
    const file = join(dataOf(treadle), 'postmaster.pid')
    const pid = Number(readFileSync(file, 'utf8').split('\n')[0])
    return readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('postgres') ? pid : null
  } catch {
    return null // It is not up at this moment.
  }
}

async function assertWhole(treadle: TestAppliance, loops: readonly Loop[]): Promise<void> {
  await assertAllDone(treadle, loops)
  await assertAllBooked(treadle)
  await assertSpent(treadle, loops)
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error // A client that has left since.
    }
  }
}
