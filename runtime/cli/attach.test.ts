// Attaching from a real terminal: a PTY, the command in it, and a WebSocket server as the sandbox's side.
import assert from 'node:assert/strict'
import { spawn as spawnChild } from 'node:child_process'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type IPty, spawn } from '@lydell/node-pty'
import { type WebSocket, WebSocketServer } from 'ws'
import type { TerminalHello } from '../weaver/api.ts'
import { pass, startInstance, type TestInstance } from './testing.ts'

const bin = fileURLToPath(new URL('./treadle.js', import.meta.url))

const absent = { status: 404, code: 'weaver/absent', message: 'No sandbox has this id.' }
let refusal: typeof absent | 'away' = absent

describe('attach', () => {
  let instance: TestInstance
  const sockets = new WebSocketServer({ noServer: true })

  before(async () => {
    instance = await startInstance({ 'GET /api/loops/l-1/passes': [{ ...pass, phase: 'agent' }] })
    instance.server.on('upgrade', (request, socket, head) => {
      if (refusal === 'away') return socket.destroy()
      if (refusal === absent && /^\/api\/sandboxes\/sb1\/terminal\?/.test(request.url!)) {
        return sockets.handleUpgrade(request, socket, head, (client) =>
          sockets.emit('connection', client, request),
        )
      }
      const body = JSON.stringify(refusal)
      socket.end(`HTTP/1.1 ${refusal.status} No\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
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
  /** The sandbox's side of the next line, and what it was asked. */
  const connected = async (hello: Partial<TerminalHello> = {}) => {
    const [socket, request] = (await once(sockets, 'connection')) as [WebSocket, IncomingMessage]
    const received = collect(socket)
    const first = { type: 'hello', instance: 'i1', offset: 0, gap: 0, cols: 120, rows: 40 }
    const rest = { writer: 'you', viewers: 1, mayWrite: true }
    socket.send(JSON.stringify({ ...first, ...rest, ...hello }))
    return { socket, received, search: new URL(request.url!, 'http://t').search }
  }

  test('keys and bytes pass both ways, the size goes first, and Ctrl-] leaves', async () => {
    const { terminal, screen } = start('sandbox', 'attach', 'sb1')
    const { socket, received, search } = await connected()
    assert.equal(search, '?mode=write')
    socket.send(Buffer.from('\u001b[1mhello\u001b[0m'))
    await screen.shows('\u001b[1mhello')
    await received.has('"cols":91,"rows":31}')
    terminal.write('ls\r\u0003') // Ctrl-C is a key of the sandbox's terminal, not of ours.
    await received.has('ls\r\u0003')
    terminal.resize(100, 40)
    await received.has('"cols":100,"rows":40}')
    terminal.write('x\u001dy')
    assert.equal(await screen.exit, 0)
    assert.match(screen.text(), /Detached\. The agent goes on\./)
    assert.ok(screen.text().includes('\u001b[?1049l'), 'the terminal is reset')
    assert.ok(received.text().endsWith('x'), 'what follows Ctrl-] is not sent')
  })

  test("loop attach finds the present pass's sandbox, and ends with its agent", async () => {
    const { screen } = start('loop', 'attach', 'l-1')
    const { socket } = await connected()
    socket.send('{"type":"ended","exit":3,"signal":null}')
    socket.close(1000)
    assert.equal(await screen.exit, 0)
    assert.match(screen.text(), /The agent has ended\. It exited with 3\./)
  })

  test('a line that breaks is taken up again at the byte where it broke', async () => {
    const { terminal, screen } = start('sandbox', 'attach', 'sb1')
    const first = await connected({ offset: 1_000 })
    first.socket.send(Buffer.from('one '))
    await screen.shows('one ')
    first.socket.terminate()
    const second = await connected({ offset: 1_004 })
    assert.equal(second.search, '?mode=write&instance=i1&offset=1004')
    second.socket.send(Buffer.from('two '))
    await screen.shows('two ')
    assert.match(screen.text(), /broke off[\s\S]*Trying again[\s\S]*Back\. Nothing is missing/)
    terminal.write('typed') // The place is its own again.
    await second.received.has('typed')

    second.socket.close(1013)
    const third = await connected({ offset: 5_000, gap: 3_992, writer: 'other' })
    await screen.shows('3992 bytes of the output are missing')
    await third.received.has('{"type":"take"}') // Its own ghost sat there.

    third.socket.close(1011)
    const fourth = await connected({ instance: 'i2', gap: null })
    await screen.shows('another terminal')
    fourth.socket.close(4410, 'deleted')
    assert.equal(await screen.exit, 0)
    assert.match(screen.text(), /The sandbox has ended: deleted\./)
  })

  test('a server that is away meanwhile is waited for, and its word is the last', async () => {
    const { screen } = start('sandbox', 'attach', 'sb1')
    const { socket } = await connected()
    refusal = 'away'
    socket.terminate()
    await screen.shows('Trying again')
    await sleep(700) // Two tries or so, in vain.
    refusal = {
      status: 410,
      code: 'weaver/ended',
      message: 'This sandbox has ended. Reason: lost.',
    }
    assert.equal(await screen.exit, 0)
    assert.match(screen.text(), /This sandbox has ended\. Reason: lost\./)
    assert.equal(screen.text().match(/Trying again/g)?.length, 1)
    refusal = absent
  })

  test('another writer is told, and keys are not sent', async () => {
    const { terminal, screen } = start('sandbox', 'attach', 'sb1')
    const { received } = await connected({ writer: 'other' })
    await screen.shows('--write takes the place')
    terminal.write('unheard\u001d')
    assert.equal(await screen.exit, 0)
    assert.equal(received.text(), '')
  })

  test('where nobody writes any more, to type is to take the place', async () => {
    const { terminal, screen } = start('sandbox', 'attach', 'sb1')
    const { socket, received } = await connected({ writer: 'other' })
    socket.send('{"type":"writer","writer":null}')
    socket.send(Buffer.from('free'))
    await screen.shows('free')
    terminal.write('heard')
    await received.has('{"type":"take"}heard')
    socket.close(1000)
    await screen.exit
  })

  test('--write takes the place from whoever has it, and may lose it again', async () => {
    const taking = start('sandbox', 'attach', 'sb1', '--write')
    const second = await connected({ writer: 'other' })
    await second.received.has('{"type":"take"}{"type":"resize","cols":91,"rows":31}')
    second.socket.send('{"type":"writer","writer":"other"}')
    await taking.screen.shows('Somebody else took the writer')
    second.socket.close(1000)
    await taking.screen.exit
  })

  test('--view sends no key, and Ctrl-C leaves it', async () => {
    const { terminal, screen } = start('sandbox', 'attach', 'sb1', '--view')
    const { socket, received, search } = await connected({ writer: null })
    assert.equal(search, '?mode=view')
    socket.send(Buffer.from('shown'))
    await screen.shows('shown')
    terminal.write('typed')
    terminal.resize(80, 20)
    await sleep(100)
    terminal.write('\u0003')
    assert.equal(await screen.exit, 0)
    assert.equal(received.text(), '')
  })

  test('where stdin is no terminal it watches, and its output is the bytes alone', async () => {
    const argv = [bin, '--state', instance.folder, 'sandbox', 'attach', 'sb1']
    const child = spawnChild(process.execPath, argv, { stdio: ['pipe', 'pipe', 'pipe'] })
    const said = Promise.all([text(child.stdout), text(child.stderr)])
    child.stdin.write('typed\n')
    const { socket, received, search } = await connected({ writer: null })
    assert.equal(search, '?mode=view')
    socket.send(Buffer.from('\u001b[1mone\n'))
    socket.send('{"type":"ended","exit":0,"signal":null}')
    socket.close(1000)
    const [out, notes] = await said
    assert.equal(out, '\u001b[1mone\n')
    assert.match(notes, /The agent has ended/)
    assert.equal(received.text(), '')
  })

  test('with --write it types what stdin has', async () => {
    const argv = [bin, '--state', instance.folder, 'sandbox', 'attach', 'sb1', '--write']
    const child = spawnChild(process.execPath, argv, { stdio: ['pipe', 'ignore', 'ignore'] })
    child.stdin.end('x'.repeat(100_000)) // In messages that the server takes.
    const { socket, received } = await connected({ writer: null })
    await received.has('x'.repeat(100_000))
    socket.close(1000)
    await once(child, 'exit')
  })

  test('who may not write watches', async () => {
    refusal = { status: 403, code: 'access/denied', message: 'No policy allows this.' }
    const { screen } = start('sandbox', 'attach', 'denied')
    assert.equal(await screen.exit, 1)
    assert.match(screen.text(), /You may watch[\s\S]*No policy allows this/)
    const asked = start('sandbox', 'attach', 'denied', '--write')
    assert.equal(await asked.screen.exit, 1)
    assert.doesNotMatch(asked.screen.text(), /You may watch/)
    refusal = absent
  })

  for (const signal of ['SIGTERM', 'SIGHUP'] as const) {
    test(`${signal} gives the terminal back`, async () => {
      const { terminal, screen } = start('sandbox', 'attach', 'sb1')
      const { socket } = await connected()
      socket.send(Buffer.from('\u001b[?1049hfull'))
      await screen.shows('full')
      terminal.kill(signal)
      await screen.exit
      assert.ok(screen.text().includes('\u001b[?1049l'))
    })
  }

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
