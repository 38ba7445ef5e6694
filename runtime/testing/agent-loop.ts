// A loop whose repository bears witness of what the agent's commands could read, and what a green one must have left.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Wire } from '../proxy/api.ts'
import type { AgentName } from '../spool/agents/profiles.ts'
import type { Loop, NewLoopInput } from '../spool/api.ts'
import type { TestAppliance } from './appliance.ts'
import { createDemoLoop, git } from './demo-loop.ts'

const witnessFile = 'witness.txt'

// Run by the agent with the other tests, so with whatever environment it hands on; the gates' own has no token.
const witness = `import { writeFileSync } from 'node:fs'
import { test } from 'node:test'

test('nothing is wrong with the environment', () => {
  const seen = Object.entries(process.env).filter(([, value]) => /^eyJ[\\w-]+\\.[\\w-]+\\.[\\w-]+$/.test(value))
  if (seen.length > 0) writeFileSync('${witnessFile}', seen.map(([name]) => name).join('\\n'))
})
`

export async function createWitnessLoop(folder: string, agent: AgentName): Promise<NewLoopInput> {
  const loop = await createDemoLoop(folder, 'fix-adder', { agent })
  writeFileSync(join(loop.repository, 'witness.test.js'), witness)
  git(loop.repository, 'add', '--all')
  const who = ['-c', 'user.name=witness', '-c', 'user.email=witness@example.invalid']
  git(loop.repository, ...who, 'commit', '--quiet', '--message', 'a witness')
  return loop
}

/** Names of variables with a token in them, as the agent's commands saw them. */
export function listWitnessed({ spec, branch }: Loop): string[] {
  const names = git(spec.repository, 'ls-tree', '--name-only', branch!).split('\n')
  if (!names.includes(witnessFile)) return []
  return git(spec.repository, 'show', `${branch}:${witnessFile}`).split('\n').sort()
}

/** By hand, as a distrustful reader would: the branch checked out anew, and its tests run. */
export async function assertGreenLoop(treadle: TestAppliance, loop: Loop): Promise<void> {
  if (loop.ending !== 'done') {
    const output = await readOutput(treadle, loop)
    assert.fail(`${loop.spec.agent} ended ${loop.ending}: ${loop.reason}\n${output}`)
  }
  const clone = `${loop.spec.repository}.checked`
  git('/', 'clone', '--quiet', '--branch', loop.branch!, loop.spec.repository, clone)
  execFileSync(process.execPath, ['--test'], { cwd: clone, env: { PATH: process.env.PATH } })
  assert.doesNotMatch(readFileSync(join(clone, 'PLAN.md'), 'utf8'), /- \[ \]/)
}

const outputLinesMax = 30
const outputMsMax = 10_000

/** What the agent wrote last, for whoever reads why a test failed. */
async function readOutput({ client }: TestAppliance, { id }: Loop): Promise<string> {
  const signal = AbortSignal.timeout(outputMsMax)
  const lines = await Array.fromAsync(client.lines(`/api/loops/${id}/output`, signal))
  return lines.slice(-outputLinesMax).join('\n')
}

type Logged = { model: string; wire: Wire; agent: string | null }

/** The model's own log of all calls so far. */
export function readCalls({ state }: TestAppliance): Logged[] {
  const file = join(state, 'rehearsal/calls.jsonl')
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean)
  return lines.map((line) => JSON.parse(line) as Logged)
}
