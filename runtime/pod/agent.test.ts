import assert from 'node:assert/strict'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AgentState } from '../weaver/api.ts'
import { isAlive, startPod, type TestPod, until } from './testing.ts'

describe('the agent', () => {
  let pod: TestPod
  beforeEach(async () => {
    pod = await startPod()
  })
  afterEach(() => pod[Symbol.asyncDispose]())

  const output = async (tail?: number) =>
    (await pod.call('GET', `/agent/output${tail === undefined ? '' : `?tail=${tail}`}`)).bytes

  test('is absent before its start', async () => {
    const { json } = await pod.call<AgentState>('GET', '/agent?waitMs=10000')
    assert.equal(json.state, 'absent')
    assert.equal((await pod.call('GET', '/agent/output')).status, 404)
  })

  test('runs in the workspace on a terminal of 120 columns and 40 rows', async () => {
    const { status, json } = await pod.startAgent(
      'pwd; stty size; test -t 0 && test -t 1 && echo tty',
    )
    assert.equal(status, 202)
    assert.equal(json.state, 'running')
    const end = await pod.agentEnd()
    assert.deepEqual([end.state, end.exit, end.signal, end.cut], ['ended', 0, null, null])
    assert.ok(end.startedAt! <= end.endedAt!)
    assert.equal((await output()).toString(), `${pod.work}\r\n40 120\r\ntty\r\n`)
    assert.equal(end.outputBytes, (await output()).length)
  })

  test('its exit code is its own', async () => {
    await pod.startAgent('exit 37')
    const { exit, signal } = await pod.agentEnd()
    assert.deepEqual([exit, signal], [37, null])
  })

  test('its signal is told by name, without an exit code', async () => {
    await pod.startAgent('kill -USR1 $$')
    const { exit, signal } = await pod.agentEnd()
    assert.deepEqual([exit, signal], [null, 'SIGUSR1'])
  })

  test('a wait ends when its time is over, and not before', async () => {
    await pod.startAgent('sleep 20')
    const startedAt = performance.now()
    const { json } = await pod.call<AgentState>('GET', '/agent?waitMs=300')
    assert.equal(json.state, 'running')
    const ms = performance.now() - startedAt
    assert.ok(ms >= 295 && ms < 5_000, String(ms))
  })

  test('is ended when its time is over', async () => {
    await pod.startAgent('sleep 20', { timeMsMax: 300 })
    const { exit, signal, cut } = await pod.agentEnd()
    assert.deepEqual([exit, signal, cut], [null, 'SIGTERM', 'time'])
  })

  test('is stopped on request, and may end itself with a code of its own', async () => {
    await pod.startAgent('trap "exit 5" TERM; echo set; while :; do sleep 0.05; done')
    await until(async () => (await output()).includes('set'))
    const { json } = await pod.call<AgentState>('DELETE', '/agent')
    assert.deepEqual([json.state, json.exit, json.cut], ['ended', 5, 'stop'])
  })

  test('that ignores SIGTERM is killed three seconds later, with what it started', async () => {
    await pod.startAgent('trap "" TERM; sleep 65 & echo $!; while :; do sleep 0.05; done')
    const child = await until(async () => Number((await output()).toString()))
    const startedAt = performance.now()
    const { json } = await pod.call<AgentState>('DELETE', '/agent')
    const ms = performance.now() - startedAt
    assert.deepEqual([json.state, json.signal, json.cut], ['ended', 'SIGKILL', 'stop'])
    assert.ok(ms >= 2_900 && ms < 6_000, String(ms))
    await until(() => !isAlive(child))
  })

  test('that ends takes along what it left running in a session of its own', async () => {
    await pod.startAgent('setsid sleep 66 & echo $!; sleep 0.2')
    await pod.agentEnd()
    const child = Number((await output()).toString())
    assert.ok(child > 1)
    await until(() => !isAlive(child))
  })

  test('a second one is refused, also after the first one’s end', async () => {
    await pod.startAgent('true')
    assert.equal((await pod.startAgent('true')).status, 409)
    await pod.agentEnd()
    assert.equal((await pod.startAgent('true')).status, 409)
  })

  test('of which the program is missing is refused by name, and another may start', async () => {
    const { status, json } = await pod.call<{ code: string; message: string }>('POST', '/agent', {
      argv: ['no-such-agent'],
      env: {},
      files: [],
      timeMsMax: 1_000,
    })
    assert.deepEqual([status, json.code], [422, 'pod/no-program'])
    assert.match(json.message, /no-such-agent/)
    assert.equal((await pod.startAgent('true')).status, 202)
  })

  test('finds its files below the home, for itself alone', async () => {
    const files = [{ path: '.agent/config.json', content: '{}' }]
    await pod.startAgent('cat ~/.agent/config.json', { files })
    await pod.agentEnd()
    assert.equal((await output()).toString(), '{}')
    assert.equal(statSync(join(pod.home, '.agent/config.json')).mode & 0o777, 0o600)
  })

  for (const path of ['/etc/passwd', '../outside', 'a/../../outside', '..', '']) {
    test(`a file at ${JSON.stringify(path)} is refused`, async () => {
      const { status } = await pod.startAgent('true', { files: [{ path, content: '' }] })
      assert.equal(status, 400)
    })
  }

  test('an origin to fill in is refused where there is no way out', async () => {
    const { status, json } = await pod.startAgent('true', { env: { BASE: '{{origin}}/v1' } })
    assert.equal(status, 409)
    assert.equal((json as unknown as { code: string }).code, 'pod/no-line')
  })

  test('100 MB of output cost bounded memory, and the daemon answers meanwhile', async () => {
    const rss = () =>
      Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pod.daemon.pid}/status`, 'utf8'))![1])
    await pod.sh('true')
    const beforeKiB = rss()
    await pod.startAgent('head -c 100000000 /dev/zero | tr "\\0" x; sleep 0.2; printf end', {
      timeMsMax: 60_000,
    })
    let slowestMs = 0
    let state: AgentState
    do {
      const askedAt = performance.now()
      state = (await pod.call<AgentState>('GET', '/agent')).json
      slowestMs = Math.max(slowestMs, performance.now() - askedAt)
      await sleep(20)
    } while (state.state === 'running')
    assert.equal(state.outputBytes, 100_000_003)
    const kept = await output()
    assert.equal(kept.length, 4 * 1024 * 1024)
    assert.ok(kept.subarray(-4).equals(Buffer.from('xend')))
    assert.equal((await output(3)).toString(), 'end')
    const grownMiB = (rss() - beforeKiB) / 1024
    assert.ok(grownMiB < 80, `grew by ${grownMiB} MiB`)
    assert.ok(slowestMs < 1_000, `answered after ${slowestMs} ms`)
  })
})
