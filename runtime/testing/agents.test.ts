// Each agent that this installation holds, as its real program, through every role: from the loop to a green branch.
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Wire } from '../proxy/api.ts'
import type { AgentName } from '../spool/agents/profiles.ts'
import type { AgentInfo } from '../spool/api.ts'
import { assertGreenLoop, createWitnessLoop, listWitnessed, readCalls } from './agent-loop.ts'
import { startAppliance, type TestAppliance } from './appliance.ts'

type Agents = Partial<Record<AgentName, Wire>>
// Side by side, each half with a Treadle of its own: the model's log tells whose call it was by its place alone.
const halves: Readonly<Record<string, Agents>> = {
  'real agents': { builtin: 'messages', codex: 'responses', gemini: 'gemini' },
  'more real agents': { pi: 'messages', opencode: 'messages' },
}

describe('every agent that is here', { concurrency: true }, () => {
  for (const [title, agents] of Object.entries(halves)) {
    describe(title, { concurrency: 1 }, () => {
      let treadle: TestAppliance
      let work: string
      let known: AgentInfo[]
      before(async () => {
        treadle = await startAppliance('--parallel=2')
        work = join(treadle.state, 'work')
        mkdirSync(work)
        known = (await treadle.client.get<{ items: AgentInfo[] }>('/api/agents')).items
      })
      after(() => treadle[Symbol.asyncDispose]())

      for (const [agent, wire] of Object.entries(agents) as [AgentName, Wire][]) {
        test(`${agent} lands a green branch through the whole stack, over ${wire}`, async () => {
          const info = known.find(({ name }) => name === agent)!
          assert.equal(info.state, 'ready', info.fix ?? '')
          if (info.provedVersion !== null) assert.equal(info.version, info.provedVersion)
          const before = readCalls(treadle).length
          const spec = await createWitnessLoop(work, agent)
          const { id } = await treadle.submit(spec)
          const loop = await treadle.ended(id, 200_000)
          await assertGreenLoop(treadle, loop)
          const wires = readCalls(treadle)
            .slice(before)
            .map((call) => call.wire)
          assert.deepEqual([...new Set(wires)], [wire])
          // The repository's own test, which the agent runs, says whether it could read a token.
          const seen = listWitnessed(loop)
          if (info.token === 'kept from its commands') assert.deepEqual(seen, [])
          else assert.ok(seen.length > 0, 'a profile that says less than is true')
        })
      }
    })
  }
})
