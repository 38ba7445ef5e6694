// One loop for each way in which a loop can end, by the command that users run, down to its exit code.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import {
  type Ending,
  endings,
  type LoopPage,
  type LoopSummary,
  type NewLoopInput,
  type Pass,
} from '../spool/api.ts'
import { startAppliance, type TestAppliance } from './appliance.ts'
import { createDemoLoop, git } from './demo-loop.ts'

const command = fileURLToPath(new URL('../cli/treadle.js', import.meta.url))
const model = (script: string): Partial<NewLoopInput> => ({
  agent: 'builtin',
  model: `rehearsal/${script}`,
})
const says = (text: string): Partial<NewLoopInput> => ({
  agent: { command: ['/bin/sh', '-c', text], wire: 'anthropic' },
})
const patient = { iterations: 8, time: '5m', idle: '2m' }

type Case = { ending: Ending; loop: Partial<NewLoopInput> }
const cases: Record<string, Case> = {
  'a kept promise with green gates': { ending: 'done', loop: {} },
  'an agent that cannot be started': {
    ending: 'failed',
    loop: { agent: { command: ['/no/such/agent'], wire: 'anthropic' } },
  },
  'passes up to the cap': {
    ending: 'capped: iterations',
    loop: { ...model('same-error'), caps: { ...patient, iterations: 2 } },
  },
  'an agent that never stops': {
    ending: 'capped: time',
    loop: { ...model('never-stops'), caps: { ...patient, time: '6s' } },
  },
  'an agent that ignores SIGTERM': {
    ending: 'capped: time',
    loop: { ...says('trap "" TERM; while :; do sleep 1; done'), caps: { ...patient, time: '4s' } },
  },
  'an agent that calls no model': {
    ending: 'capped: idle',
    loop: { ...says('sleep 600'), caps: { ...patient, idle: '3s' } },
  },
  'spent dollars': {
    ending: 'capped: usd',
    loop: { ...model('spends'), caps: { ...patient, usd: 1 } },
  },
  'spent tokens': {
    ending: 'capped: tokens',
    loop: { ...model('spends'), caps: { ...patient, tokens: 400_000 } },
  },
  'passes without progress': { ending: 'stuck', loop: { ...model('no-progress'), caps: patient } },
  'the same error again and again': {
    ending: 'stuck',
    loop: { ...model('same-error'), caps: patient },
  },
  'a promise that only stdout shows': {
    ending: 'stuck',
    loop: { ...says('echo "<promise>COMPLETE</promise>"'), caps: patient },
  },
  'a promise that is only quoted': {
    ending: 'stuck',
    loop: { ...model('quotes-promise'), caps: patient },
  },
  'promises over red gates': {
    ending: 'needs-review',
    loop: { ...model('says-promise-too-early'), caps: patient },
  },
  'an emptied plan': { ending: 'needs-review', loop: { ...model('empties-plan'), caps: patient } },
  'a model that nobody serves': {
    ending: 'denied',
    loop: { ...model('x'), model: 'gpt-of-nobody', caps: patient },
  },
}

describe('a loop ends', { concurrency: 4 }, () => {
  let treadle: TestAppliance
  let work: string
  before(async () => {
    treadle = await startAppliance('--parallel=6')
    work = join(treadle.state, 'work')
    mkdirSync(work)
  })
  after(() => treadle[Symbol.asyncDispose]())

  for (const [title, { ending, loop }] of Object.entries(cases)) {
    test(`${title} is ${ending}, exit code ${endings[ending]}`, async () => {
      const name = title.replaceAll(/[^a-z]+/gi, '-').toLowerCase()
      const { exitCode, said } = await run(name, loop)
      const found = await byName(name)
      assert.equal(found.ending, ending, `${found.reason}\n${said}`)
      assert.equal(exitCode, endings[ending], said)
      await assertHonest(found)
    })
  }

  test('somebody who cancels it is cancelled, exit code 23', async () => {
    const running = run('to-cancel', { ...model('never-stops'), caps: patient })
    const { id } = await treadle.until('its first call', async () => {
      const found = await byName('to-cancel')
      return found.state === 'running' && found
    })
    await treadle.client.post(`/api/loops/${id}/cancel`, {})
    assert.equal((await running).exitCode, endings.cancelled)
    assert.equal((await treadle.loop(id)).ending, 'cancelled')
  })

  async function run(
    name: string,
    over: Partial<NewLoopInput>,
  ): Promise<{ exitCode: number; said: string }> {
    const { prompt, ...loop } = await createDemoLoop(work, 'fix-adder', {
      agent: 'builtin',
      ...over,
      name,
    })
    const file = join(work, `${name}.yaml`)
    writeFileSync(join(work, `${name}.md`), prompt)
    writeFileSync(file, stringify({ ...loop, promptFile: `${name}.md` }))
    const child = spawn(process.execPath, [command, 'loop', 'run', file, '--state', treadle.state])
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (said += data))
    const [exitCode] = (await once(child, 'close')) as [number]
    return { exitCode, said }
  }

  async function byName(name: string): Promise<LoopSummary> {
    const { items } = await treadle.client.get<LoopPage>('/api/loops?limit=200')
    return items.find((loop) => loop.name === name) ?? assert.fail(`no loop ${name}`)
  }

  /** Whatever the ending: no done without green gates, and what was changed is on the branch. */
  async function assertHonest(loop: LoopSummary): Promise<void> {
    const passes: Pass[] = await treadle.passes(loop.id)
    const last = passes.at(-1)!
    if (loop.ending === 'done')
      assert.ok(last.gates.every(({ exit }) => exit === 0) && last.openItems === 0)
    if (loop.branch) assert.equal(git(loop.repository, 'rev-parse', loop.branch), last.sha)
  }
})
