import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { parse } from '#kernel/parse.ts'
import { planStep } from '../../rehearsal/script.ts'
import { findScript } from '../../rehearsal/scripts/scripts.ts'
import { planCall } from '../../rehearsal/tools.ts'
import { NewLoop } from '../../spool/api.ts'
import { countOpenItems } from '../../spool/plan.ts'
import { isPromised } from '../../spool/promise.ts'
import { createDemoTask, type DemoName, demoNames, toDemoLoop } from './demo.ts'

const env = { PATH: process.env.PATH } // Without what node --test hands to its own children.
const shell = { name: 'bash', parameters: { properties: { command: { type: 'string' } } } }

/** What an agent with a shell and nothing else does in a pass; answers its last words. */
function playPass(name: DemoName, folder: string): string {
  const script = findScript(toDemoLoop(name, folder).model)!
  const results: string[] = []
  for (;;) {
    const step = planStep(script, results)
    const call = planCall(step, [shell])
    if (!call) return step.say ?? ''
    const command = String(call.args.command)
    const { stdout, stderr } = spawnSync('bash', ['-c', command], { cwd: folder, env })
    results.push(`${stdout}${stderr}`)
  }
}

const isGreen = (folder: string) => spawnSync('node', ['--test'], { cwd: folder, env }).status === 0
const countOpen = (folder: string) => countOpenItems(readFileSync(join(folder, 'PLAN.md'), 'utf8'))
const git = (folder: string, ...args: string[]) =>
  execFileSync('git', ['-C', folder, ...args], { env, encoding: 'utf8' }).trim()

describe('the demo', () => {
  const work = mkdtempSync(join(tmpdir(), 'demo-'))
  after(() => rmSync(work, { recursive: true }))

  // What each pass leaves: open items, whether it promised, the gate.
  const passes: Record<DemoName, readonly string[]> = {
    'fix-adder': ['1 open, red', '0 open, promised, green'],
    'parse-duration': ['0 open, promised, red', '0 open, promised, green'],
    'word-count': ['2 open, red', '1 open, red', '0 open, promised, green'],
  }
  for (const name of demoNames) {
    test(`${name} begins red and is done after ${passes[name].length} passes`, async () => {
      const folder = join(work, name)
      await createDemoTask(name, folder)
      assert.equal(isGreen(folder), false)
      const { promise, prompt } = NewLoop.parse(toDemoLoop(name, folder))
      const seen = passes[name].map(() => {
        const promised = isPromised(playPass(name, folder), promise, prompt) ? ', promised' : ''
        return `${countOpen(folder)} open${promised}, ${isGreen(folder) ? 'green' : 'red'}`
      })
      assert.deepEqual(seen, passes[name])
    })
  }

  test('a pass after the last one changes nothing and promises again', async () => {
    const folder = join(work, 'once-more')
    await createDemoTask('fix-adder', folder)
    for (let pass = 0; pass < 2; pass += 1) playPass('fix-adder', folder)
    const before = git(folder, 'diff')
    assert.match(playPass('fix-adder', folder), /<promise>COMPLETE<\/promise>$/)
    assert.equal(git(folder, 'diff'), before)
  })

  test('a task is one commit on main, the same each time', async () => {
    const [one, other] = [join(work, 'one'), join(work, 'other')]
    await createDemoTask('word-count', one)
    await createDemoTask('word-count', other)
    assert.equal(git(one, 'rev-parse', 'main'), git(other, 'rev-parse', 'main'))
    assert.equal(git(one, 'log', '--format=%an %s'), 'Treadle demo word-count: as it was found')
    assert.equal(git(one, 'status', '--porcelain'), '')
  })

  test('a folder that exists is left as it is', async () => {
    const folder = join(work, 'kept')
    await createDemoTask('fix-adder', folder)
    writeFileSync(join(folder, 'mine.txt'), 'mine')
    await createDemoTask('fix-adder', folder)
    assert.equal(readFileSync(join(folder, 'mine.txt'), 'utf8'), 'mine')
  })

  test('every loop is one that the API takes, and its prompt does not hold the promise', () => {
    for (const name of demoNames) {
      const parsed = parse(NewLoop, toDemoLoop(name, `/somewhere/${name}`))
      assert.ok(parsed.ok)
      assert.equal(parsed.value.prompt.includes(parsed.value.promise), false)
    }
  })

  test('several agents take part, one of them not ours', () => {
    const agents = new Set(demoNames.map((name) => toDemoLoop(name, '/x').agent))
    assert.deepEqual([...agents].sort(), ['builtin', 'pi'])
  })
})
