// `treadle loop new` by options, and by questions in a real terminal.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { readLoopFile } from '../loop-file.ts'
import { startTerminal } from '../testing/terminal.ts'
import { run, startInstance, type TestInstance } from '../testing.ts'

const bin = fileURLToPath(new URL('../treadle.js', import.meta.url))

let instance: TestInstance
let folder: string
before(async () => {
  const provider = { name: 'p', kind: 'openai', models: ['model-x', 'model-y'] }
  instance = await startInstance({ 'GET /api/providers': { items: [provider], cursor: null } })
})
after(() => instance[Symbol.asyncDispose]())
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'treadle-new-'))
  execFileSync('git', ['init', '--quiet', '--initial-branch=main', folder])
  writeFileSync(join(folder, 'package.json'), '{"scripts":{"test":"node --test"}}')
})
afterEach(() => rmSync(folder, { recursive: true }))
const files = () => readdirSync(folder).filter((name) => name !== '.git' && name !== 'package.json')

describe('loop new by options', () => {
  const make = (...argv: string[]) =>
    run(instance.folder, ['loop', 'new', join(folder, 'a.yaml'), '--yes', ...argv])

  test('takes from the folder what no option says', async () => {
    const { code, stderr } = await make('--prompt', 'Do it.')
    assert.equal(code, 0, stderr)
    const { name: _, ...loop } = parse(readFileSync(join(folder, 'a.yaml'), 'utf8'))
    assert.deepEqual(loop, {
      ...{ repository: '.', ref: 'main', agent: 'builtin', model: 'model-x', prompt: 'Do it.' },
      gates: [{ name: 'tests', command: 'npm test' }],
      caps: { iterations: 20, time: '2h' },
    })
    assert.equal(readLoopFile(join(folder, 'a.yaml')).body['repository'], folder)
  })

  test("explains each key in the schema's words", async () => {
    await make('--prompt', 'Do it.', '--usd', '2.5')
    const yaml = readFileSync(join(folder, 'a.yaml'), 'utf8')
    assert.match(yaml, /^# The model the agent asks for\.\nmodel: model-x$/m)
    assert.match(yaml, /^ {2}# US dollars by the price list\.\n {2}usd: 2\.5$/m)
    assert.match(yaml, /Exit 0 = green\.\n {4}command: npm test$/m)
  })

  test('writes the prompt into a file of its own when asked', async () => {
    await make('--prompt', 'Do "this":\n- now', '--prompt-file', 'PROMPT.md')
    assert.equal(readFileSync(join(folder, 'PROMPT.md'), 'utf8'), 'Do "this":\n- now\n')
    assert.deepEqual(readLoopFile(join(folder, 'a.yaml')).body['prompt'], 'Do "this":\n- now\n')
  })

  test('overwrites nothing without --force, and then leaves nothing half done', async () => {
    writeFileSync(join(folder, 'PROMPT.md'), 'mine')
    const argv = ['--prompt', 'Theirs.', '--prompt-file', 'PROMPT.md']
    const { code, stderr } = await make(...argv)
    assert.equal(code, 2)
    assert.match(stderr, /PROMPT\.md is there already.*--force/)
    assert.deepEqual(files(), ['PROMPT.md'])
    assert.equal(readFileSync(join(folder, 'PROMPT.md'), 'utf8'), 'mine')
    assert.equal((await make(...argv, '--force')).code, 0)
    assert.equal(readFileSync(join(folder, 'PROMPT.md'), 'utf8'), 'Theirs.\n')
    assert.match((await make('--prompt', 'x')).stderr, /a\.yaml is there already/)
  })

  test('tells every wrong option at once, and writes nothing', async () => {
    const wrong = ['--name', 'A b', '--agent', 'x', '--time', 'soon', '--gate', 'B?: x', '']
    const { code, stderr } = await make(...wrong)
    assert.equal(code, 2)
    for (const option of ['--name', '--agent', '--time', '--gate'])
      assert.match(stderr, RegExp(option))
    assert.deepEqual(files(), [])
  })

  test('tells what is needed and has no default', async () => {
    const { code, stderr } = await run('/nowhere', ['loop', 'new', join(folder, 'a.yaml'), '--yes'])
    assert.equal(code, 2)
    assert.match(stderr, /--model: It is needed/)
    assert.match(stderr, /--prompt: It is needed/)
  })

  test('a prompt file that is not there is told before the run would', async () => {
    const { code, stderr } = await make('--prompt-file', 'nope.md')
    assert.equal(code, 2)
    assert.match(stderr, /nope\.md.*is not there/)
    assert.deepEqual(files(), [])
  })

  test('says with --json what it wrote', async () => {
    const path = join(folder, 'b.yaml')
    const argv = ['loop', 'new', path, '--json', '--prompt', 'x', '--model', 'm', '--gate', 'true']
    const { stdout } = await run(instance.folder, argv)
    const said = JSON.parse(stdout)
    assert.deepEqual(said.files, [path])
    assert.deepEqual(said.loop.gates, [{ name: 'gate', command: 'true' }])
  })
})

describe('loop new by questions', () => {
  const start = (...argv: string[]) =>
    startTerminal(process.execPath, [bin, '--state', instance.folder, 'loop', 'new', ...argv], {
      cwd: folder,
      rows: 60,
    })

  test('asks, judges each answer at once, shows the file, and writes it', async () => {
    using terminal = start()
    await terminal.shows(/name \[.*\]:/)
    terminal.type('Not A Name\r')
    await terminal.shows('Use lower-case letters, digits and inner hyphens.')
    terminal.type('good-name\r')
    await terminal.shows('repository [.]:')
    terminal.type('\r')
    await terminal.shows('ref [main]:')
    terminal.type('\r')
    await terminal.shows(/builtin.*[\s\S]*agent \[builtin\]:/)
    terminal.type('\r')
    await terminal.shows(/model-x, model-y[\s\S]*model \[model-x\]:/)
    terminal.type('model-y\r')
    await terminal.shows('prompt:')
    terminal.type('@NOPE.md\r')
    await terminal.shows('There is no NOPE.md')
    terminal.type('Make it work.\r')
    await terminal.shows('promptFile [none]:')
    terminal.type('PROMPT.md\r')
    await terminal.shows('plan [none]:')
    terminal.type('\r')
    await terminal.shows('gate 1 [tests: npm test]:')
    terminal.type('\r')
    await terminal.shows('gate 2, Enter = no more:')
    terminal.type('build: make all\r')
    await terminal.shows('gate 3')
    terminal.type('\r')
    await terminal.shows('iterations [20]:')
    terminal.type('2.5\r')
    await terminal.shows('Write a whole number.')
    terminal.type('7\r')
    await terminal.shows('time [2h]:')
    terminal.type('\r')
    await terminal.shows('usd [none]:')
    terminal.type('3\r')
    const screen = await terminal.shows('Write it to loop.yaml?')
    assert.match(screen, /command: make all/)
    assert.deepEqual(files(), [], 'nothing is written yet')
    terminal.type('\r')
    assert.equal(await terminal.exit, 0)
    assert.deepEqual(files(), ['PROMPT.md', 'loop.yaml'])
    const loop = parse(readFileSync(join(folder, 'loop.yaml'), 'utf8'))
    assert.equal(loop.name, 'good-name')
    assert.equal(loop.model, 'model-y')
    assert.equal(loop.promptFile, 'PROMPT.md')
    assert.deepEqual(loop.caps, { iterations: 7, time: '2h', usd: 3 })
    assert.deepEqual(
      loop.gates.map(({ name }: { name: string }) => name),
      ['tests', 'build'],
    )
  })

  for (const [title, key] of [
    ['Ctrl-C', '\u0003'],
    ['Ctrl-D', '\u0004'],
  ] as const) {
    test(`${title} in the middle leaves nothing behind`, async () => {
      using terminal = start('--name', 'a', '--repository', '.')
      await terminal.shows('ref [main]:')
      terminal.type(`\r${key}`)
      assert.equal(await terminal.exit, 130)
      assert.match(terminal.text(), /Nothing is written\./)
      assert.deepEqual(files(), [])
    })
  }

  test('a no at the end writes nothing', async () => {
    const said = ['--name', 'a', '--ref', 'main', '--agent', 'builtin', '--model', 'm']
    const rest = ['--prompt', 'x', '--plan', 'PLAN.md', '--gate', 'true', '--iterations', '1']
    using terminal = start(...said, '--repository', '.', ...rest, '--time', '1h', '--usd', '1')
    await terminal.shows('Write it to loop.yaml?')
    terminal.type('n\r')
    assert.equal(await terminal.exit, 130)
    assert.equal(existsSync(join(folder, 'loop.yaml')), false)
  })

  test('a file that is there is told before anything is asked', async () => {
    writeFileSync(join(folder, 'loop.yaml'), '')
    using terminal = start()
    assert.equal(await terminal.exit, 2)
    assert.match(terminal.text(), /loop\.yaml is there already/)
  })
})
