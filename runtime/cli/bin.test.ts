// The command as a shell starts it: a real process of an older Node, which finds the newer one.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { events, loop, startInstance, type TestInstance, toLines } from './testing.ts'

const bin = fileURLToPath(new URL('./treadle.js', import.meta.url))

// A Node that believes to be an older one takes the same way as one that is.
const older = 'data:text/javascript,Object.defineProperty(process.versions,"node",{value:"20.0.0"})'

/** This Node, as itself and as an older one; and every older one that the machine has. */
function nodesHere(): Record<string, string[]> {
  const folders = (process.env.PATH ?? '').split(delimiter).concat('/usr/bin')
  const found = [...new Set(folders.map((folder) => join(folder, 'node')))].filter(existsSync)
  const versions = found.map((node) => {
    const version = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim()
    return [`Node ${version}`, [node]] as const
  })
  const isOlder = ([name]: readonly [string, unknown]) => Number(/\d+/.exec(name)![0]) < 26
  return {
    [`Node ${process.version}`]: [process.execPath],
    'a Node that says 20': [process.execPath, '--import', older],
    ...Object.fromEntries(versions.filter(isOlder).map(([name, node]) => [name, [...node]])),
  }
}

describe('the bin', () => {
  let instance: TestInstance
  let file: string
  before(async () => {
    instance = await startInstance({ 'POST /api/loops': loop })
    file = join(instance.folder, 'loop.yaml')
    writeFileSync(file, 'prompt: Fix it.\n')
  })
  after(() => instance[Symbol.asyncDispose]())

  const start = ([node, ...flags]: string[], argv: string[]) =>
    spawn(node!, [...flags, bin, '--state', instance.folder, ...argv])
  const end = async (child: ChildProcess) => {
    const said = Promise.all([text(child.stdout!), text(child.stderr!)])
    const [code, signal] = await once(child, 'exit')
    const [stdout, stderr] = await said
    return { code, signal, stdout, stderr }
  }

  for (const [name, node] of Object.entries(nodesHere())) {
    test(`${name} runs a loop and exits with its ending's code`, async () => {
      const ended = { ...events.ended, ending: 'stuck', exitCode: 20 }
      instance.routes['GET /api/loops/l-1/events'] = (_request, response) => {
        response.end(toLines(events.pass, ended))
      }
      const { code, stdout, stderr } = await end(start(node, ['loop', 'run', file, '--json']))
      assert.equal(stdout, toLines(events.pass, ended))
      assert.equal(stderr, '')
      assert.equal(code, 20)
    })

    for (const [signal, expected] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const) {
      test(`${name} passes ${signal} on, and leaves the loop running`, async () => {
        instance.routes['GET /api/loops/l-1/events'] = (_request, response) => {
          response.write(toLines(events.started))
        }
        const child = start(node, ['loop', 'run', file])
        child.stdout.once('data', () => child.kill(signal))
        const { code, stderr } = await end(child)
        assert.equal(code, expected)
        assert.match(stderr, /goes on without you/)
      })
    }

    test(`${name} exits with 2 for wrong use`, async () => {
      const { code, stderr } = await end(start(node, ['fly']))
      assert.equal(code, 2)
      assert.match(stderr, /unknown command/)
    })
  }

  test('a clone without Node 26 is told what to type', async () => {
    const clone = mkdtempSync(join(tmpdir(), 'treadle-clone-'))
    cpSync(bin, join(clone, 'runtime/cli/treadle.js'))
    writeFileSync(join(clone, 'package.json'), '{"type":"module"}')
    const argv = ['--import', older, join(clone, 'runtime/cli/treadle.js'), 'status']
    const { code, stderr } = await end(spawn(process.execPath, argv))
    rmSync(clone, { recursive: true })
    assert.equal(code, 1)
    assert.match(stderr, /Node 26 is missing.*npm start once/)
  })

  test('a reader that has seen enough ends the command quietly', async () => {
    const items = Array.from({ length: 5_000 }, () => loop)
    instance.routes['GET /api/loops'] = { items, cursor: null }
    const child = start([process.execPath], ['loop', 'list', '--json'])
    child.stdout.once('data', () => child.stdout.destroy())
    const errors = text(child.stderr)
    const [code] = await once(child, 'exit')
    assert.equal(await errors, '')
    assert.equal(code, 0)
  })
})
