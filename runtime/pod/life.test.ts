import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { isAlive, startPod, type TestPod, until } from './testing.ts'

describe('the daemon', () => {
  let pod: TestPod
  beforeEach(async () => {
    pod = await startPod()
  })
  afterEach(() => pod[Symbol.asyncDispose]())

  const runningChildren = async () => {
    const script =
      'echo $$ > NAME.pid; setsid sleep 67 & echo $! >> NAME.pid; trap "" TERM HUP; wait; sleep 68'
    await pod.startAgent(script.replaceAll('NAME', 'agent'))
    void pod.sh(script.replaceAll('NAME', 'exec'), 60_000).catch(() => {}) // Cut with the daemon.
    const ids = ['agent', 'exec'].map((name) => () => {
      const lines = readFileSync(join(pod.work, `${name}.pid`), 'utf8')
        .trim()
        .split('\n')
        .map(Number)
      return lines.length === 2 && lines
    })
    const found = (await Promise.all(ids.map((look) => until(look)))).flatMap(
      (lines) => lines || [],
    )
    assert.ok(found.every(isAlive))
    return found
  }

  test('ends when weaver is gone, with all that it started', async () => {
    const children = await runningChildren()
    const exited = once(pod.daemon, 'exit')
    pod.daemon.stdin!.destroy()
    assert.deepEqual(await exited, [0, null])
    await until(() => !children.some(isAlive))
  })

  test('ends on SIGTERM, with all that it started', async () => {
    const children = await runningChildren()
    const exited = once(pod.daemon, 'exit')
    pod.daemon.kill('SIGTERM')
    assert.deepEqual(await exited, [0, null])
    await until(() => !children.some(isAlive))
  })

  test('an unknown route is named in the refusal', async () => {
    const { status, json } = await pod.call<{ code: string; message: string }>('GET', '/nothing')
    assert.deepEqual([status, json.code], [404, 'pod/route-absent'])
    assert.match(json.message, /GET \/nothing/)
  })

  test('a body that is no JSON is refused', async () => {
    const { status, json } = await pod.call<{ code: string }>('POST', '/exec', Buffer.from('{'))
    assert.deepEqual([status, json.code], [400, 'pod/invalid'])
  })

  test('a body over 2 MiB is refused, and the connection goes on', async () => {
    const body = { argv: ['x'.repeat(3_000_000)], timeoutMs: 1_000 }
    const { status, json } = await pod.call<{ code: string }>('POST', '/exec', body)
    assert.deepEqual([status, json.code], [413, 'pod/too-large'])
    assert.equal((await pod.sh('true')).exit, 0)
  })

  test('every problem of a body is told, each with its place', async () => {
    type Refusal = { problems: { path: string }[] }
    const body = { argv: [1], env: { '': '' }, files: [{ path: '/x' }], colour: 'red' }
    const { json } = await pod.call<Refusal>('POST', '/agent', body)
    const paths = json.problems.map(({ path }) => path)
    assert.deepEqual(paths, [
      'colour',
      'argv.0',
      'env.',
      'files.0.path',
      'files.0.content',
      'timeMsMax',
    ])
  })
})

const main = fileURLToPath(new URL('./main.ts', import.meta.url))

for (const [title, args, said] of [
  ['flags that are missing', ['--work', '/tmp'], /--socket, --work and --home are needed/],
  ['an unknown flag', ['--colour', 'red'], /--colour/],
  [
    'a port that is none',
    ['--socket', 's', '--work', 'w', '--home', 'h', '--proxy-port', '70000'],
    /no port/,
  ],
  [
    'a claim of an own pid namespace that does not hold',
    ['--socket', 's', '--work', 'w', '--home', 'h', '--own-pid-namespace'],
    /other processes are here/,
  ],
] as const) {
  test(`${title} end the daemon with 2 and the usage`, () => {
    assert.throws(
      () => execFileSync(process.execPath, [main, ...args], { stdio: 'pipe' }),
      (error: { status: number; stderr: Buffer }) => {
        assert.equal(error.status, 2)
        assert.match(error.stderr.toString(), said)
        assert.match(error.stderr.toString(), /Usage:/)
        return true
      },
    )
  })
}

test('the start loads neither an HTTP client nor a schema library nor a terminal', () => {
  // Each costs more than all of the daemon, and a cold sandbox waits for it.
  const routes = new URL('./serve.ts', import.meta.url)
  const script = `await import('${routes}'); console.log(process.moduleLoadList.join('\\n'))`
  const loaded = (text: string) =>
    execFileSync(process.execPath, ['--input-type=module', '-e', text], { encoding: 'utf8' })
  assert.match(loaded(`await import('node:http'); ${script}`), /undici/, 'the list must show it')
  assert.doesNotMatch(loaded(script), /undici|internal\/crypto\/random|internal\/child_process/)
})

test('--warm loads everything and ends', () => {
  assert.equal(execFileSync(process.execPath, [main, '--warm'], { encoding: 'utf8' }), '')
})
