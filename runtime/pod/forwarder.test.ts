import assert from 'node:assert/strict'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { startPod, type TestPod, until } from './testing.ts'

describe('the way out', () => {
  let relay: Server
  let line: string
  let pod: TestPod
  let onLine: (socket: Socket) => void
  const relayed = new Set<Socket>()

  beforeEach(async () => {
    line = join(tmpdir(), `pod-line-${process.pid}.sock`)
    relay = createServer({ allowHalfOpen: true }, (socket) => {
      relayed.add(socket.on('error', () => {}))
      onLine(socket)
    }).listen(line)
    await once(relay, 'listening')
    pod = await startPod({ line })
  })
  afterEach(async () => {
    await pod[Symbol.asyncDispose]()
    for (const socket of relayed) socket.destroy()
    await new Promise((closed) => relay.close(closed))
  })

  const activate = async (token: string | null = 'sandbox-token') =>
    pod.call<{ origin: string; code: string }>('POST', '/activate', { token })
  const open = async (allowHalfOpen = false) => {
    const { origin } = (await activate()).json
    const port = Number(new URL(origin).port)
    return connect({ host: '127.0.0.1', port, allowHalfOpen }).on('error', () => {})
  }

  test('carries bytes both ways, also after the client ended its side', async () => {
    onLine = async (socket) => {
      const heard = await toEnd(socket)
      socket.end(Buffer.concat([Buffer.from('answer to '), heard]))
    }
    const client = await open(true)
    const sent = Buffer.alloc(3_000_000, 'abc')
    client.end(sent)
    const answer = await toEnd(client)
    assert.ok(answer.equals(Buffer.concat([Buffer.from('answer to '), sent])))
  })

  test('carries bytes on after the line ended its side', async () => {
    const heard = Promise.withResolvers<string>()
    onLine = async (socket) => {
      socket.end('all said')
      heard.resolve((await toEnd(socket)).toString())
    }
    const client = await open(true)
    assert.equal((await toEnd(client)).toString(), 'all said')
    client.end('and now I')
    assert.equal(await heard.promise, 'and now I')
  })

  test('a client that is cut cuts the line: who writes to it hears of it', async () => {
    const cut = Promise.withResolvers<string>()
    onLine = (socket) => {
      const writing = setInterval(() => socket.write('x'), 20)
      socket.on('error', (error: NodeJS.ErrnoException) => cut.resolve(error.code!))
      socket.on('close', () => clearInterval(writing))
    }
    const client = await open()
    await once(client, 'data')
    client.resetAndDestroy()
    assert.match(await cut.promise, /EPIPE|ECONNRESET/)
  })

  test('a line that is cut cuts the client', async () => {
    onLine = (socket) => socket.destroy()
    const client = await open()
    await once(client.resume(), 'close')
  })

  test('a line that is gone cuts the client at once', async () => {
    rmSync(line)
    const client = await open()
    await once(client.resume(), 'close')
  })

  test('the origin and the token reach the agent, and the token reaches nobody else', async () => {
    const { json } = await activate('secret-of-this-sandbox')
    assert.match(json.origin, /^http:\/\/127\.0\.0\.1:\d+$/)
    await pod.startAgent('', {
      argv: ['sh', '-c', 'echo "$TREADLE_TOKEN at $BASE"; cat ~/base; echo $0', '{{origin}}'],
      env: { BASE: '{{origin}}/v1' },
      files: [{ path: 'base', content: 'url = {{origin}} {{origin}}\n' }],
    })
    await pod.agentEnd()
    const output = (await pod.call('GET', '/agent/output')).bytes.toString().replaceAll('\r', '')
    const { origin } = json
    assert.equal(
      output,
      `secret-of-this-sandbox at ${origin}/v1\nurl = ${origin} ${origin}\n${origin}\n`,
    )
    assert.doesNotMatch((await pod.sh('env')).output, /secret-of-this-sandbox|TREADLE_TOKEN/)
  })

  test('a sandbox is activated once', async () => {
    assert.equal((await activate()).status, 200)
    assert.deepEqual(
      [(await activate()).status, (await activate()).json.code],
      [409, 'pod/activated'],
    )
  })

  test('without a token there is no way out', async () => {
    assert.deepEqual((await activate(null)).json, { origin: null })
  })

  for (const body of [{}, { token: 7 }, { token: 'two\nlines' }, { token: '' }]) {
    test(`the activation ${JSON.stringify(body)} is refused`, async () => {
      assert.equal((await pod.call('POST', '/activate', body)).status, 400)
    })
  }
})

test('a token without a line to use it on is refused', async () => {
  await using pod = await startPod()
  const { status, json } = await pod.call<{ code: string }>('POST', '/activate', { token: 'x' })
  assert.deepEqual([status, json.code], [409, 'pod/no-line'])
})

test('more than 256 connections at once are refused, and a free place is taken again', async () => {
  const line = join(tmpdir(), `pod-many-${process.pid}.sock`)
  const relay = createServer((socket) => void socket.write('x')).listen(line)
  await using pod = await startPod({ line })
  const { json } = await pod.call<{ origin: string }>('POST', '/activate', { token: 'x' })
  const port = Number(new URL(json.origin).port)
  const clients = Array.from({ length: 260 }, () =>
    connect(port, '127.0.0.1').on('error', () => {}),
  )
  let served = 0
  let refused = 0
  for (const client of clients) {
    client.once('data', () => (served += 1)).once('close', () => (refused += 1))
  }
  await until(() => served + refused === 260)
  assert.deepEqual([served, refused], [256, 4])
  for (const client of clients) client.destroy()
  await until(async () => {
    const late = connect(port, '127.0.0.1').on('error', () => {})
    const isServed = await Promise.race([
      once(late, 'data').then(() => true),
      once(late, 'close').then(() => false),
    ])
    late.destroy()
    return isServed
  })
  relay.close()
})

/** All that a side says; unlike the stream's own iterator it leaves the other direction open. */
async function toEnd(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(socket, 'end')
  return Buffer.concat(chunks)
}

test('a sandbox that is told its token with the start is active when it is ready', async () => {
  const line = join(tmpdir(), `pod-line-${process.pid}.sock`)
  await using pod = await startPod({ line, flags: ['--active'], firstLine: '{"token":"early"}' })
  const { origin } = pod.ready
  assert.match(origin!, /^http:\/\/127\.0\.0\.1:\d+$/)
  const again = await pod.call<{ code: string }>('POST', '/activate', { token: 'late' })
  assert.equal(again.json.code, 'pod/activated')
  await pod.startAgent('echo "$TREADLE_TOKEN at $0"')
  await pod.agentEnd()
  assert.match((await pod.call('GET', '/agent/output')).bytes.toString(), /^early at /)
})

test('a daemon that waits for its token ends when weaver does', async () => {
  const ended = startPod({ flags: ['--active'] }).then(
    () => 'ready',
    (error: Error) => error.message,
  )
  assert.match(await ended, /ended with 0/)
})
