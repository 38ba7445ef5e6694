import assert from 'node:assert/strict'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { WebSocket } from 'ws'
import type { AgentState } from '../weaver/api.ts'
import { startPod, type TestPod, until } from './testing.ts'

type News = { type: string; [name: string]: unknown }

describe('the terminal', () => {
  let pod: TestPod
  beforeEach(async () => {
    pod = await startPod()
  })
  afterEach(() => pod[Symbol.asyncDispose]())

  const attach = (search = '') => {
    const socket = new WebSocket(`ws+unix:${pod.socket}:/agent/terminal${search}`)
    const seen = { text: '', news: [] as News[] }
    socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) seen.text += data.toString()
      else seen.news.push(JSON.parse(String(data)) as News)
    })
    return { socket, seen }
  }

  test('shows the past, then what comes; takes keys; and closes with the agent', async () => {
    await pod.startAgent('echo before; read line; echo "got $line"')
    await until(async () => (await pod.call('GET', '/agent/output')).bytes.includes('before'))
    const { socket, seen } = attach()
    await until(() => seen.text.includes('before'))
    socket.send(Buffer.from('hello\r'))
    const [code] = await once(socket, 'close')
    assert.equal(code, 1000)
    assert.match(seen.text, /got hello/)
    assert.deepEqual(seen.news.at(-1), { type: 'ended', exit: 0, signal: null })
  })

  test('begins with what the terminal is, and goes on at the byte that is asked for', async () => {
    await pod.startAgent('stty -echo; printf 0123456789; read line; printf abc; read line')
    await until(async () => (await pod.call('GET', '/agent/output')).bytes.includes('9'))
    const first = attach()
    await until(() => first.seen.text === '0123456789')
    const [hello] = first.seen.news
    const { instance } = hello!
    const at = { offset: 0, gap: 0, cols: 120, rows: 40 }
    assert.deepEqual(hello, { type: 'hello', instance, ...at })
    first.socket.close()
    const second = attach(`?instance=${instance}&offset=7`)
    await until(() => second.seen.text === '789')
    assert.deepEqual(second.seen.news[0], { ...hello, offset: 7 })
    second.socket.send(Buffer.from('\r'))
    await until(() => second.seen.text === '789abc')
  })

  test('an end is told to whoever comes after it, behind all that is kept', async () => {
    await pod.startAgent('printf last; exit 3')
    await pod.agentEnd()
    const { socket, seen } = attach()
    const [code] = await once(socket, 'close')
    assert.deepEqual([code, seen.text], [1000, 'last'])
    assert.deepEqual(seen.news.at(-1), { type: 'ended', exit: 3, signal: null })
  })

  test('what fell out of the past is counted, and another terminal is told from this one', async () => {
    await pod.startAgent('head -c 6000000 /dev/zero | tr "\\0" x; read line')
    await until(async () => (await pod.call<AgentState>('GET', '/agent')).json.outputBytes === 6e6)
    const known = attach()
    await until(() => known.seen.text.length === 256 * 1024)
    const { instance, offset, gap } = known.seen.news[0]!
    assert.deepEqual([offset, gap], [6_000_000 - 256 * 1024, 0])
    const kept = 4 * 1024 ** 2
    const late = attach(`?instance=${instance}&offset=1000`)
    await until(() => late.seen.text.length === kept)
    assert.equal(late.seen.news[0]!.offset, 6_000_000 - kept)
    assert.equal(late.seen.news[0]!.gap, 6_000_000 - kept - 1_000)
    for (const search of [
      `?instance=${instance}&offset=6000001`,
      `?instance=${instance}&offset=-1`,
      `?instance=${instance}&offset=1.5`,
      `?instance=${instance}`,
      '?instance=other&offset=5999999',
    ]) {
      const { seen } = attach(search)
      await until(() => seen.text.length === 256 * 1024)
      assert.deepEqual([seen.news[0]!.gap, seen.news[0]!.offset], [null, offset], search)
    }
  })

  test('sets the size of the terminal', async () => {
    await pod.startAgent('read line; stty size')
    const { socket, seen } = attach()
    await once(socket, 'open')
    socket.send(JSON.stringify({ cols: 91, rows: 17 }))
    socket.send(Buffer.from('\r'))
    await once(socket, 'close')
    assert.match(seen.text, /17 91/)
    assert.deepEqual(seen.news[1], { type: 'size', cols: 91, rows: 17 })
  })

  for (const message of [
    'no json',
    '{"cols":0,"rows":10}',
    '{"cols":80}',
    '{"cols":80,"rows":1e9}',
  ]) {
    test(`the text ${message} closes it, and the agent goes on`, async () => {
      await pod.startAgent('sleep 20')
      const { socket } = attach()
      await once(socket, 'open')
      socket.send(message)
      const [code] = await once(socket, 'close')
      assert.equal(code, 1003)
      assert.equal((await pod.call<{ state: string }>('GET', '/agent')).json.state, 'running')
    })
  }

  test('keys that the agent never reads neither pile up nor stop the daemon', async () => {
    await pod.startAgent('stty raw -echo; echo raw; sleep 20')
    const { socket, seen } = attach()
    await until(() => seen.text.includes('raw'))
    for (let sent = 0; sent < 500; sent += 1) socket.send(Buffer.alloc(60_000, 'k'))
    socket.ping()
    await once(socket, 'pong') // All the keys were taken before it.
    assert.equal((await pod.call('GET', '/agent')).status, 200)
    const { output } = await pod.sh(`grep VmRSS /proc/${pod.daemon.pid}/status`)
    assert.ok(Number(/\d+/.exec(output)![0]) < 160_000, output)
  })

  test('a window that reads nothing is closed, and the agent is not held up', async () => {
    await pod.startAgent('read go; head -c 20000000 /dev/zero | tr "\\0" x; echo done', {
      timeMsMax: 60_000,
    })
    const { socket } = attach()
    await once(socket, 'open')
    socket.pause()
    socket.send(Buffer.from('\r'))
    const end = await pod.agentEnd()
    assert.equal(end.exit, 0)
    assert.ok(end.outputBytes > 20_000_000)
    socket.resume()
    const [code] = await once(socket, 'close')
    assert.equal(code, 1013)
  })

  test('without an agent, or at another path, no upgrade happens', async () => {
    for (const [path, status] of [
      ['/agent/terminal', 404],
      ['/other', 404],
    ] as const) {
      const socket = new WebSocket(`ws+unix:${pod.socket}:${path}`)
      const [error] = await once(socket, 'error')
      assert.match((error as Error).message, new RegExp(String(status)))
    }
  })
})
