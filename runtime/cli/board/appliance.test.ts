// The board on the whole of Treadle: real loops, real sandboxes, a server that is killed and started again.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startAppliance, type TestAppliance } from '../../testing/appliance.ts'
import { createDemoLoop } from '../../testing/demo-loop.ts'
import { startTerminal, type TerminalOptions } from '../testing/terminal.ts'

const bin = fileURLToPath(new URL('../treadle.js', import.meta.url))
const talker = 'echo "I am at work."; read line; echo "heard $line"; sleep 300'

describe('the board on the whole of Treadle', () => {
  let appliance: TestAppliance
  before(async () => {
    appliance = await startAppliance()
  })
  after(() => appliance[Symbol.asyncDispose]())

  const start = (argv: string[], options: TerminalOptions = {}) =>
    startTerminal(process.execPath, [bin, '--state', appliance.state, ...argv], options)

  test('a loop is watched from its start to its end, and opened', async () => {
    using terminal = start(['loop', 'watch'], { cols: 120, rows: 40 })
    await terminal.shows('● live')
    const { id } = await appliance.submit(await createDemoLoop(appliance.state, 'word-count'))
    await terminal.shows(/◐ running\s+word-count/)
    terminal.type('\r')
    await terminal.shows(/pass 1/)
    await appliance.ended(id)
    await terminal.shows(/✓ done {2}Promised, no item open, every gate green\./)
    const screen = await terminal.shows(/1✗ +2✗ +3✓/)
    assert.match(screen, /✓ tests/)
    assert.match(screen, /Plan 3\/3[\s\S]*☑/)
    await terminal.shows('<promise>COMPLETE</promise>')
    terminal.type('h')
    await terminal.shows('Output of pass 2')
    terminal.type('\u001b')
    await terminal.shows(/✓ done\s+word-count/)
    terminal.type('r')
    await terminal.shows('word-count runs again as')
    terminal.type('q')
    assert.equal(await terminal.exit, 0)
  })

  test('it attaches to an agent, comes back, pauses it, and cancels it', async () => {
    const loop = await createDemoLoop(appliance.state, 'fix-adder', {
      ...{ name: 'talker', agent: { command: ['sh', '-c', talker], wire: 'openai-chat' } },
    })
    const { id } = await appliance.submit(loop)
    using terminal = start(['loop', 'watch', id.slice(0, 8)])
    await terminal.shows('I am at work.')
    terminal.type('a')
    await terminal.lacks('Plan')
    await terminal.shows('I am at work.')
    terminal.type('hello\r')
    await terminal.shows('heard hello')
    terminal.type('\u001d')
    await terminal.shows('Plan')
    assert.ok(terminal.isAlternate())
    await terminal.shows('heard hello')
    terminal.type('p')
    await terminal.shows('talker starts no pass until it is resumed.')
    terminal.type('cy')
    await terminal.shows(/⊘ cancelled/, 30_000)
    terminal.type('q')
    assert.equal(await terminal.exit, 0)
  })

  test('a server that is killed is shown, and one that is started again heals the board', async () => {
    using terminal = start(['loop', 'watch'])
    await terminal.shows('● live')
    await appliance.stop('SIGKILL')
    await terminal.shows(/connection lost/, 3_000)
    await appliance.start()
    await terminal.shows('● live', 5_000)
    await terminal.shows(/✓ done\s+word-count/)
    terminal.type('q')
    assert.equal(await terminal.exit, 0)
  })

  test('what loop new writes, loop run takes as it is', async () => {
    const { repository, model } = await createDemoLoop(appliance.state, 'fix-adder')
    const folder = mkdtempSync(join(tmpdir(), 'treadle-new-run-'))
    const treadle = (...argv: string[]) =>
      execFileSync(process.execPath, [bin, '--state', appliance.state, ...argv], {
        cwd: repository,
        encoding: 'utf8',
      })
    const file = join(folder, 'loop.yaml')
    const said = ['--model', model, '--prompt', 'Make the tests pass.', '--iterations', '4']
    const where = ['--repository', repository, '--gate', 'tests: node --test']
    treadle('loop', 'new', file, '--yes', ...said, ...where, '--prompt-file', 'PROMPT.md')
    assert.equal(readFileSync(join(folder, 'PROMPT.md'), 'utf8'), 'Make the tests pass.\n')
    const id = treadle('loop', 'run', file, '--detach').trim()
    const ended = await appliance.ended(id)
    assert.equal(ended.ending, 'done', ended.reason ?? '')
    const home = treadle()
    assert.match(home, /at work, \d+ ended/)
    rmSync(folder, { recursive: true })
  })
})
