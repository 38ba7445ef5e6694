// A daemon that its agent took over, at the other end of a viewer's line: it can end that line, and nothing more.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { openDaemon, relay } from './terminal-relay.ts'
import { createRooms } from './terminal-room.ts'

const hello = '{"type":"hello","instance":"i","offset":0,"gap":0,"cols":80,"rows":24}'

describe('a viewer of a hostile daemon', () => {
  const folder = mkdtempSync(join(tmpdir(), 'relay-'))
  const socketPath = join(folder, 'pod.sock')
  const daemons = new WebSocketServer({ noServer: true })
  const clients = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  let server: Server
  /** What the daemon does with the next viewer. */
  let misbehave: (socket: WebSocket) => void
  before(async () => {
    server = createServer().listen(socketPath)
    server.on('upgrade', (request, socket, head) =>
      daemons.handleUpgrade(request, socket, head, (daemon) => misbehave(daemon)),
    )
    clients.on('connection', async (client) => {
      const daemon = await openDaemon(socketPath, { mode: 'write' })
      const rooms = createRooms()
      relay({
        ...{ client, daemon, mayWrite: true, wantsWrite: true },
        enter: (tell) => rooms.enter('sb', tell),
        onProgress: () => {},
        whyEnded: async () => undefined,
      })
    })
    if (!server.listening) await once(server, 'listening')
    if (clients.address() === null) await once(clients, 'listening')
  })
  after(() => {
    server.close()
    for (const socket of [...clients.clients, ...daemons.clients]) socket.terminate()
    clients.close()
    rmSync(folder, { recursive: true })
  })

  const watch = async (deed: (socket: WebSocket) => void) => {
    misbehave = deed
    const viewer = new WebSocket(`ws://127.0.0.1:${(clients.address() as AddressInfo).port}`)
    const seen: string[] = []
    viewer.on('message', (data) => seen.push(String(data)))
    const [code] = (await once(viewer, 'close', { signal: AbortSignal.timeout(20_000) })) as [
      number,
    ]
    return { code, seen }
  }

  const deeds: Record<string, (socket: WebSocket) => void> = {
    'sends bytes before its greeting': (socket) => socket.send(Buffer.from('x')),
    'sends no JSON': (socket) => socket.send('x'),
    'says what only this role says': (socket) => {
      socket.send(hello)
      socket.send('{"type":"writer","writer":"you"}')
    },
    'greets twice': (socket) => {
      socket.send(hello)
      socket.send(hello)
    },
    'sends a frame beyond reason': (socket) => {
      socket.send(hello)
      socket.send(Buffer.alloc(1_000_000))
    },
    'greets with an instance that is a header': (socket) =>
      socket.send(hello.replace('"i"', '"i\\r\\nx: y"')),
    'greets with numbers that are none': (socket) => socket.send(hello.replace('80', '1e99')),
    'closes as an agent that ended, and says nothing': (socket) => {
      socket.send(hello)
      socket.close(1000)
    },
    'closes with a code that means another thing': (socket) => {
      socket.send(hello)
      socket.close(4410, 'deleted')
    },
  }
  for (const [title, deed] of Object.entries(deeds)) {
    test(`that ${title} is told to come back, and sees nothing of it`, async () => {
      const { code, seen } = await watch(deed)
      assert.equal(code, 1011)
      assert.ok(seen.length <= 1, seen.join())
      if (seen[0]) {
        const news = JSON.parse(seen[0]) as { type: string; writer: string; mayWrite: boolean }
        assert.deepEqual([news.type, news.writer, news.mayWrite], ['hello', 'you', true])
      }
    })
  }

  test('that adds to its greeting hears only what the schema has', async () => {
    const { seen } = await watch((socket) => {
      socket.send(hello.replace('"gap":0', '"gap":0,"html":"<b>","writer":"other","viewers":99'))
      socket.close()
    })
    const { html, writer, viewers } = JSON.parse(seen[0]!) as Record<string, unknown>
    assert.deepEqual([html, writer, viewers], [undefined, 'you', 1])
  })

  test('that sends without end holds no memory here while the viewer reads nothing', async () => {
    let sentBytes = 0
    misbehave = (socket) => {
      socket.send(hello)
      const piece = Buffer.alloc(65_536)
      const more = () => {
        if (socket.readyState !== WebSocket.OPEN) return
        sentBytes += piece.length
        socket.send(piece, more)
      }
      more()
    }
    const viewer = new WebSocket(`ws://127.0.0.1:${(clients.address() as AddressInfo).port}`)
    await once(viewer, 'message')
    viewer.pause()
    let before = -1
    while (sentBytes !== before) {
      before = sentBytes
      await new Promise((waited) => setTimeout(waited, 500))
    }
    const [near] = [...clients.clients].slice(-1)
    assert.ok(near!.bufferedAmount < 1024 * 1024, String(near!.bufferedAmount))
    viewer.terminate()
  })
})
