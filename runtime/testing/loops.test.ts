// Whole loops through every role, with real agents, as a user runs them.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { UsageRow } from '../proxy/api.ts'
import type { NewLoopInput } from '../spool/api.ts'
import type { SearchHit } from '../threads/api.ts'
import { startAppliance, type TestAppliance } from './appliance.ts'
import { createDemoLoop, git } from './demo-loop.ts'

type Logged = {
  model: string
  status: number
  usageSent: boolean
  usage: { inputTokens: number; cachedTokens: number; outputTokens: number }
}

describe('whole loops', () => {
  let treadle: TestAppliance
  let work: string
  before(async () => {
    treadle = await startAppliance('--parallel=4')
    work = join(treadle.state, 'work')
    mkdirSync(work)
  })
  after(() => treadle[Symbol.asyncDispose]())

  test('ten loops of three agents at once all land green branches, and every token is accounted for', async () => {
    const agents: Partial<NewLoopInput>[] = [
      { agent: 'builtin' },
      { agent: 'pi' },
      { agent: 'codex' },
    ]
    const names = ['fix-adder', 'parse-duration', 'word-count'] as const
    const specs = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        createDemoLoop(work, names[index % 3]!, agents[Math.floor(index / 3) % 3]!),
      ),
    )
    const loops = await Promise.all(specs.map((spec) => treadle.submit(spec)))
    for (const { id } of loops) {
      const loop = await treadle.ended(id, 200_000)
      assert.equal(
        loop.ending,
        'done',
        `${loop.name} ${JSON.stringify(loop.spec.agent)}: ${loop.reason}`,
      )
      assertGreen(loop.spec.repository, loop.branch!, loop.passes)
      const passes = await treadle.passes(id)
      assert.ok(passes.length >= 2)
      assert.notEqual(passes[0]!.gates[0]!.exit, 0, 'the first pass shows a red gate')
    }
    await assertAccounts(treadle)
  })

  test('what the agents said is found again by its words', async () => {
    const { items } = await treadle.client.get<{ items: SearchHit[] }>(
      '/api/threads/search?q=failing+test',
    )
    assert.ok(items.length > 0)
    assert.ok(items.every(({ thread }) => thread.isRehearsal))
  })
})

/** By hand, as a distrustful reader would: the branch checked out anew, its tests run, a commit for each pass. */
function assertGreen(repository: string, branch: string, passes: number): void {
  const clone = `${repository}.checked`
  git('/', 'clone', '--quiet', '--branch', branch, repository, clone)
  execFileSync(process.execPath, ['--test'], { cwd: clone, env: { PATH: process.env.PATH } })
  const commits = git(clone, 'log', '--format=%s').split('\n')
  assert.equal(commits.length, passes + 1, commits.join(' | '))
  assert.doesNotMatch(readFileSync(join(clone, 'PLAN.md'), 'utf8'), /- \[ \]/)
}

/** Our ledger beside the model's own log, token by token. */
async function assertAccounts({ client, state }: TestAppliance): Promise<void> {
  const log = readFileSync(join(state, 'rehearsal/calls.jsonl'), 'utf8').trim().split('\n')
  const theirs = sum(
    log
      .map((line) => JSON.parse(line) as Logged)
      .filter((call) => call.usageSent)
      .map((call) => call.usage),
  )
  const rows = await client.get<UsageRow[] | { items: UsageRow[] }>('/api/usage?days=2')
  const items = Array.isArray(rows) ? rows : rows.items
  assert.deepEqual(sum(items.map((row) => row.usage)), theirs)
  assert.equal(
    items.reduce((total, row) => total + row.calls, 0),
    log.length,
  )
  assert.equal(
    items.reduce((total, row) => total + row.estimatedCalls, 0),
    0,
  )
}

const sum = (usages: Logged['usage'][]) =>
  usages.reduce(
    (total, usage) => ({
      inputTokens: total.inputTokens + usage.inputTokens,
      cachedTokens: total.cachedTokens + usage.cachedTokens,
      outputTokens: total.outputTokens + usage.outputTokens,
    }),
    { inputTokens: 0, cachedTokens: 0, outputTokens: 0 },
  )
