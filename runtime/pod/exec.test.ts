import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Agent, request } from 'undici'
import type { ExecResult } from '../weaver/api.ts'
import { isAlive, startPod, type TestPod, until } from './testing.ts'

describe('exec', () => {
  let pod: TestPod
  before(async () => {
    pod = await startPod()
  })
  after(() => pod[Symbol.asyncDispose]())

  const exec = (body: object) => pod.call<ExecResult>('POST', '/exec', body)

  for (const [title, argv, exit] of [
    ['a program that succeeds gives 0', ['true'], 0],
    ['a program that fails gives its own code', ['sh', '-c', 'exit 37'], 37],
    ['a program ended by SIGTERM gives 128 + 15', ['sh', '-c', 'kill -TERM $$'], 143],
    ['a program ended by SIGKILL gives 128 + 9', ['sh', '-c', 'kill -KILL $$'], 137],
    ['a program that is missing gives 127', ['no-such-program'], 127],
    ['a file that is no program gives 126', ['/etc/passwd'], 126],
  ] as const) {
    test(title, async () => {
      const { json } = await exec({ argv, timeoutMs: 10_000 })
      assert.equal(json.exit, exit)
      assert.equal(json.timedOut, false)
    })
  }

  test('output and error output come in the order in which they were written', async () => {
    const { output } = await pod.sh('for i in 1 2 3; do echo out $i; echo err $i >&2; done')
    assert.equal(output, 'out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n')
  })

  test('a script can open its outputs by name', async () => {
    const { exit, output } = await pod.sh('echo 1 > /dev/stdout && echo 2 > /dev/stderr')
    assert.deepEqual([exit, output], [0, '1\n2\n'])
  })

  test('a program that is missing is named in the output', async () => {
    const { json } = await exec({ argv: ['no-such-program'], timeoutMs: 10_000 })
    assert.match(json.output, /no-such-program/)
  })

  test('of much output the last 64 KiB are kept, and all of it is counted', async () => {
    const { output, outputBytes } = await pod.sh('head -c 5000000 /dev/zero | tr "\\0" x; echo end')
    assert.equal(outputBytes, 5_000_004)
    assert.equal(Buffer.byteLength(output), 65_536)
    assert.ok(output.endsWith('xend\n'))
  })

  test('output is not cut through a character', async () => {
    const script = "process.stdout.write('x' + 'ä'.repeat(40_000))"
    const { json } = await exec({ argv: ['node', '-e', script], timeoutMs: 10_000 })
    assert.equal(json.outputBytes, 80_001)
    assert.match(json.output, /^ä+$/)
  })

  test('a time-out gives 124 and kills the whole group, whoever ignores SIGTERM', async () => {
    const result = await pod.sh('trap "" TERM; sleep 61 & echo $!; sleep 62', 300)
    assert.equal(result.exit, 124)
    assert.equal(result.timedOut, true)
    assert.ok(result.ms >= 300 && result.ms < 5_000, String(result.ms))
    await until(() => !isAlive(Number(result.output)))
  })

  test('what a program leaves running ends with it, and is not waited for', async () => {
    const { exit, output, ms } = await pod.sh('sleep 63 & echo $!')
    assert.equal(exit, 0)
    assert.ok(ms < 5_000, String(ms))
    await until(() => !isAlive(Number(output)))
  })

  test('a caller that leaves takes its program with it', async () => {
    const leave = new AbortController()
    const dispatcher = new Agent({ connect: { socketPath: pod.socket } })
    const body = JSON.stringify({
      argv: ['sh', '-c', 'echo $$ > left.pid; exec sleep 64'],
      timeoutMs: 60_000,
    })
    const asked = request('http://pod/exec', {
      method: 'POST',
      body,
      dispatcher,
      signal: leave.signal,
    })
    const file = join(pod.work, 'left.pid')
    const id = await until(() => Number(readFileSync(file, 'utf8')))
    assert.equal(isAlive(id), true)
    leave.abort()
    await assert.rejects(asked)
    await until(() => !isAlive(id))
    await dispatcher.destroy()
  })

  test('it gets what it is given and a closed list, but neither token nor the platform’s own', async () => {
    await pod.call('POST', '/activate', { token: null })
    const { json } = await exec({ argv: ['env'], env: { GIVEN: 'yes' }, timeoutMs: 10_000 })
    const names = json.output
      .trim()
      .split('\n')
      .map((line) => line.split('=')[0])
    assert.deepEqual(names.sort(), ['GIVEN', 'HOME', 'LANG', 'PATH', 'TMPDIR', 'TREADLE_POD'])
  })

  test('more than eight at once are refused', async () => {
    const all = await Promise.all(
      Array.from({ length: 9 }, () => exec({ argv: ['sleep', '0.5'], timeoutMs: 5_000 })),
    )
    assert.deepEqual(all.map(({ status }) => status).sort(), [...Array(8).fill(200), 429])
  })

  for (const [title, body] of [
    ['no argv', { timeoutMs: 1_000 }],
    ['an empty argv', { argv: [], timeoutMs: 1_000 }],
    ['a NUL in argv', { argv: ['a\0b'], timeoutMs: 1_000 }],
    ['no time-out', { argv: ['true'] }],
    ['a time-out of no time', { argv: ['true'], timeoutMs: 0 }],
    ['a variable with an equals sign', { argv: ['true'], env: { 'A=B': '' }, timeoutMs: 1_000 }],
    ['an unknown key', { argv: ['true'], timeoutMs: 1_000, shell: true }],
  ] as const) {
    test(`${title} is refused`, async () => {
      const { status, json } = await pod.call<{ code: string }>('POST', '/exec', body)
      assert.equal(status, 400)
      assert.equal(json.code, 'pod/invalid')
    })
  }
})
