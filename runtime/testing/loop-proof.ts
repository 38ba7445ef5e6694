// What must hold for a loop whatever befell the machine meanwhile: done, each pass counted once, each call booked.
import assert from 'node:assert/strict'
import type { UsageRow } from '../proxy/api.ts'
import type { Loop, LoopEvent, NewLoopInput } from '../spool/api.ts'
import { demoNames } from '../start/demo/demo.ts'
import type { TestAppliance } from './appliance.ts'
import { createDemoLoop, git } from './demo-loop.ts'
import { readCallLog } from './rehearsal-desk.ts'

type Agents = readonly NewLoopInput['agent'][]
const twoKinds: Agents = ['builtin', 'pi', 'builtin']

/** The three demo loops, begun, each with its agent. */
export async function submitThree(treadle: TestAppliance, agents = twoKinds): Promise<Loop[]> {
  const specs = await Promise.all(
    demoNames.map((name, at) => createDemoLoop(treadle.state, name, { agent: agents[at]! })),
  )
  return Promise.all(specs.map((spec) => treadle.submit(spec)))
}

export async function assertAllDone(treadle: TestAppliance, loops: readonly Loop[]): Promise<void> {
  for (const { id } of loops) {
    const loop = await treadle.ended(id, 90_000)
    assert.equal(loop.ending, 'done', `${loop.name}: ${loop.reason}`)
    await assertCountedOnce(treadle, loop)
  }
}

async function assertCountedOnce(treadle: TestAppliance, loop: Loop): Promise<void> {
  const passes = await treadle.passes(loop.id)
  const numbers = Array.from({ length: loop.passes }, (_, index) => index + 1)
  assert.deepEqual(
    passes.map(({ pass }) => pass),
    numbers,
  )
  assert.ok(passes.every(({ phase }) => phase === 'settled'))
  const events = await readEvents(treadle, loop.id)
  const told = events.flatMap((event) => (event.event === 'pass' ? [event.pass.pass] : []))
  assert.deepEqual(told, numbers, 'each settled pass is told once')
  assert.equal(events.filter(({ event }) => event === 'ended').length, 1)
  const commits = git(loop.spec.repository, 'log', '--format=%s', loop.branch!).split('\n')
  const changing = passes.filter(({ filesChanged }) => filesChanged > 0)
  assert.equal(commits.length, changing.length + 1, commits.join(' | '))
}

async function readEvents({ client }: TestAppliance, loop: string): Promise<LoopEvent[]> {
  const events: LoopEvent[] = []
  const lines = client.lines(`/api/loops/${loop}/events`, AbortSignal.timeout(10_000))
  for await (const line of lines) events.push(JSON.parse(line) as LoopEvent)
  return events
}

export type Booked = { calls: number; estimated: number; logged: number }

/**
 * Our ledger beside the model's own log. A call that was cut by a fault is estimated, and may not have reached the
 * model; so the ledger may hold more calls than the log, but only estimated ones.
 */
export async function assertAllBooked(treadle: TestAppliance): Promise<Booked> {
  const logged = readCallLog(treadle.state)
  const booked = await treadle.until('the ledger to hold every call of the model', async () => {
    const rows = await readUsage(treadle)
    const calls = total(rows, (row) => row.calls)
    const estimated = total(rows, (row) => row.estimatedCalls)
    return calls >= logged.length && { calls, estimated, logged: logged.length }
  })
  const exactMax = logged.filter(({ end }) => end === 'whole' || end === 'refused').length
  assert.ok(booked.calls - booked.estimated <= exactMax, JSON.stringify({ ...booked, exactMax }))
  return booked
}

/** What each loop says that it spent is what the ledger holds of it. */
export async function assertSpent(treadle: TestAppliance, loops: readonly Loop[]): Promise<void> {
  for (const { id } of loops) {
    const { usage, costNanoUsd, name } = await treadle.loop(id)
    const rows = await readUsage(treadle, `&loop=${id}`)
    const ledger = {
      inputTokens: total(rows, (row) => row.usage.inputTokens),
      cachedTokens: total(rows, (row) => row.usage.cachedTokens),
      outputTokens: total(rows, (row) => row.usage.outputTokens),
    }
    assert.deepEqual(usage, ledger, name)
    assert.equal(
      costNanoUsd,
      total(rows, (row) => row.costNanoUsd),
      name,
    )
  }
}

const readUsage = ({ client }: TestAppliance, more = '') =>
  client.get<UsageRow[]>(`/api/usage?days=2${more}`)

const total = (rows: readonly UsageRow[], pick: (row: UsageRow) => number) =>
  rows.reduce((sum, row) => sum + pick(row), 0)
