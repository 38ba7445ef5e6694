import assert from 'node:assert/strict'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { WebSocket } from 'ws'
import { startPod, type TestPod, until } from './testing.ts'

describe('the terminal', () => {
  let pod: TestPod
  beforeEach(async () => {
    pod = await startPod()
  })
  afterEach(() => pod[Symbol.asyncDispose]())

  const attach = () => {
    const socket = new WebSocket(`ws+unix:${pod.socket}:/agent/terminal`)
    const seen = { text: '' }
    socket.on('message', (data: Buffer, isBinary) => {
      assert.equal(isBinary, true)
      seen.text += data.toString()
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
  })

  test('sets the size of the terminal', async () => {
    await pod.startAgent('read line; stty size')
    const { socket, seen } = attach()
    await once(socket, 'open')
    socket.send(JSON.stringify({ cols: 91, rows: 17 }))
    socket.send(Buffer.from('\r'))
    await once(socket, 'close')
    assert.match(seen.text, /17 91/)
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
