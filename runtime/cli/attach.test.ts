// Attaching from a real terminal: a PTY, the command in it, and a WebSocket server as the sandbox's side.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type IPty, spawn } from '@lydell/node-pty'
import { type WebSocket, WebSocketServer } from 'ws'
import { pass, startInstance, type TestInstance } from './testing.ts'

const bin = fileURLToPath(new URL('./treadle.js', import.meta.url))

describe('attach', () => {
  let instance: TestInstance
  const sockets = new WebSocketServer({ noServer: true })

  before(async () => {
    instance = await startInstance({ 'GET /api/loops/l-1/passes': [{ ...pass, phase: 'agent' }] })
    instance.server.on('upgrade', (request, socket, head) => {
      if (request.url === '/api/sandboxes/sb1/terminal') {
        return sockets.handleUpgrade(request, socket, head, (client) =>
          sockets.emit('connection', client, request),
        )
      }
      const body = '{"code":"sandbox/absent","message":"No sandbox has this id."}'
      const head404 = `HTTP/1.1 404 Not Found\r\ncontent-length: ${body.length}\r\n\r\n`
      socket.end(head404 + body)
    })
  })
  after(async () => {
    for (const client of sockets.clients) client.terminate()
    await instance[Symbol.asyncDispose]()
  })

  const start = (...argv: string[]) => {
    const options = { cols: 91, rows: 31 }
    const terminal = spawn(process.execPath, [bin, '--state', instance.folder, ...argv], options)
    return { terminal, screen: watch(terminal) }
  }
  const connected = async () => (await once(sockets, 'connection'))[0] as WebSocket

  test('keys and bytes pass both ways, the size goes first, and Ctrl-] leaves', async () => {
    const { terminal, screen } = start('sandbox', 'attach', 'sb1')
    const socket = await connected()
    const received = collect(socket)
    socket.send(Buffer.from('\u001b[1mhello\u001b[0m'))
    await screen.shows('\u001b[1mhello')
    await received.has('{"cols":91,"rows":31}')
    terminal.write('ls\r\u0003') // Ctrl-C is a key of the sandbox's terminal, not of ours.
    await received.has('ls\r\u0003')
    terminal.resize(100, 40)
    await received.has('{"cols":100,"rows":40}')
    terminal.write('x\u001dy')
    assert.equal(await screen.exit, 0)
    assert.match(screen.text(), /Detached\. The agent goes on\./)
    assert.ok(screen.text().includes('\u001b[?1049l'), 'the terminal is reset')
    assert.ok(received.text().endsWith('x'), 'what follows Ctrl-] is not sent')
  })

  test("loop attach finds the present pass's sandbox, and ends with its agent", async () => {
    const { screen } = start('loop', 'attach', 'l-1')
    ;(await connected()).close(1000)
    assert.equal(await screen.exit, 0)
    assert.match(screen.text(), /The agent has ended\./)
  })

  test('a terminal that breaks off is a failure', async () => {
    const { screen } = start('sandbox', 'attach', 'sb1')
    ;(await connected()).terminate()
    assert.equal(await screen.exit, 1)
    assert.match(screen.text(), /The terminal broke off/)
  })

  test("a sandbox that is not there is told in the server's words", async () => {
    const { screen } = start('sandbox', 'attach', 'gone')
    assert.equal(await screen.exit, 1)
    assert.match(screen.text(), /No sandbox has this id\./)
  })

  test('a loop without an agent at work is told', async () => {
    instance.routes['GET /api/loops/l-2/passes'] = [pass]
    const { screen } = start('loop', 'attach', 'l-2')
    assert.equal(await screen.exit, 1)
    assert.match(screen.text(), /No agent of this loop is at work/)
  })
})

type Watched = { text(): string; has(part: string): Promise<void>; add(part: string): void }

function watched(): Watched {
  let all = ''
  const waiting: (() => void)[] = []
  return {
    text: () => all,
    add(part) {
      all += part
      for (const look of waiting) look()
    },
    has: (part) =>
      new Promise((found) => {
        const look = () => all.includes(part) && found()
        waiting.push(look)
        look()
      }),
  }
}

function watch(terminal: IPty) {
  const { add, has, text } = watched()
  terminal.onData(add)
  const exit = new Promise<number>((ended) => {
    terminal.onExit(({ exitCode }) => ended(exitCode))
  })
  return { text, shows: has, exit }
}

function collect(socket: WebSocket) {
  const received = watched()
  socket.on('message', (data) => received.add(String(data)))
  return received
}
