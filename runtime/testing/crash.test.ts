// `kill -9` of a whole Treadle at chosen moments, and what the next start makes of it.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Loop, Pass } from '../spool/api.ts'
import type { AgentState } from '../weaver/api.ts'
import { startAppliance, type TestAppliance } from './appliance.ts'
import { assertAllBooked, assertAllDone, assertSpent, submitThree } from './loop-proof.ts'
import { processesOf, sandboxLeftovers } from './traces.ts'

const orphanMsMax = 5_000

type IsNow = (treadle: TestAppliance, pass: Pass) => Promise<boolean>
const moments: Record<string, IsNow> = {
  'while agents work': (treadle, pass) => isAgent(treadle, pass, 'running'),
  'while the work is brought in': (treadle, pass) => isAgent(treadle, pass, 'ended'),
  'while gates run': async (_, { phase }) => phase === 'gates',
}

// Each kills a Treadle of its own; two at once, for half of each is waiting.
describe('a Treadle that is killed', { concurrency: 2 }, () => {
  for (const [when, isNow] of Object.entries(moments)) {
    test(`${when} goes on at the next start, and leaves nothing behind`, async () => {
      await using treadle = await startAppliance('--parallel=3')
      const loops = await submitThree(treadle)
      await moment(treadle, loops, isNow)
      await killAndStart(treadle)
      await assertWhole(treadle, loops)
    })
  }

  test('again and again, at whatever moment, still ends every loop with every pass counted once', async () => {
    await using treadle = await startAppliance('--parallel=3')
    const loops = await submitThree(treadle)
    for (const runningMs of [400, 1_700]) {
      await sleep(runningMs)
      await killAndStart(treadle)
    }
    await assertWhole(treadle, loops)
  })
})

/** Where the agent has ended, the pass's commit is not stored yet. */
async function isAgent(
  treadle: TestAppliance,
  { phase, sandbox }: Pass,
  state: AgentState['state'],
): Promise<boolean> {
  if (phase !== 'agent' || !sandbox) return false
  const agent = await treadle.client.get<AgentState>(`/api/sandboxes/${sandbox}/agent`)
  return agent.state === state
}

async function moment(treadle: TestAppliance, loops: readonly Loop[], isNow: IsNow) {
  const deadline = Date.now() + 60_000
  while (Date.now() < deadline) {
    for (const { id } of loops) {
      const pass = (await treadle.passes(id)).at(-1)
      if (pass && (await isNow(treadle, pass).catch(() => false))) return // Its sandbox may be gone just now.
    }
  }
  assert.fail('The moment never came.')
}

async function killAndStart(treadle: TestAppliance): Promise<void> {
  await treadle.stop('SIGKILL')
  const alive = () => processesOf(treadle.state)
  for (const until = Date.now() + orphanMsMax; alive().length > 0 && Date.now() < until; )
    await sleep(100)
  assert.deepEqual(alive(), [], `nothing lives on ${orphanMsMax} ms later`)
  await treadle.start()
}

async function assertWhole(treadle: TestAppliance, loops: readonly Loop[]): Promise<void> {
  await assertAllDone(treadle, loops)
  await assertAllBooked(treadle)
  await assertSpent(treadle, loops)
  let left: string[] = []
  const isClean = async () => {
    left = await sandboxLeftovers(treadle)
    return left.length === 0
  }
  await treadle.until('a clean machine', isClean, 10_000).catch(() => {}) // Told below.
  assert.deepEqual(left, [])
}
