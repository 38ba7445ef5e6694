// The line socket: where sandboxes come in. Each connection first says in one line whose it is, then speaks HTTP.
// **Trust.** Only weaver's relay can reach the socket (its folder and mode say so); the preamble is its word.

import { once } from 'node:events'
import { mkdir, rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { dirname } from 'node:path'

const preamble = /^TREADLE-LINE 1 ([\w-]{1,64})$/
const preambleBytesMax = 96 // The longest one that the pattern takes has 80.
const preambleMs = 5_000 // The relay sends it at once; whoever doesn't is no relay.

const lines = new WeakMap<object, string>()
/** The sandbox whose line a connection is; undefined for one that came over TCP. */
export const lineOf = (socket: object): string | undefined => lines.get(socket)

/** Hands the connections of a Unix socket on, each with the sandbox that it is the line of. */
export async function listenLines(
  path: string,
  connectionsMax: number,
  accept: (socket: Socket, sandbox: string) => void,
): Promise<AsyncDisposable> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await rm(path, { force: true }) // Left by a process that was killed.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {}) // A reset before it is known whose it is; 'close' follows.
    readPreamble(socket, (sandbox) => {
      lines.set(socket, sandbox)
      accept(socket, sandbox)
    })
  })
  server.maxConnections = connectionsMax
  const mask = process.umask(0o177) // The socket is its owner's alone from its first moment.
  server.listen(path)
  process.umask(mask)
  await once(server, 'listening')
  return {
    async [Symbol.asyncDispose]() {
      server.close() // What came through it is with the lanes, which outlive it.
    },
  }
}

function readPreamble(socket: Socket, found: (sandbox: string) => void): void {
  const late = setTimeout(() => socket.destroy(), preambleMs)
  socket.once('close', () => clearTimeout(late))
  let head: Buffer = Buffer.alloc(0)
  const read = () => {
    for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) {
      head = Buffer.concat([head, chunk as Buffer])
    }
    const end = head.indexOf('\n')
    if (end < 0 && head.length < preambleBytesMax) return
    socket.off('readable', read)
    clearTimeout(late)
    const sandbox = end < 0 ? undefined : preamble.exec(head.toString('latin1', 0, end))?.[1]
    if (!sandbox) return socket.destroy()
    const rest = head.subarray(end + 1)
    if (rest.length > 0) socket.unshift(rest)
    found(sandbox)
  }
  socket.on('readable', read)
}
