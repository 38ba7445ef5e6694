// A sandbox's line: its own Unix socket, carried to the proxy. One line of ours goes first and says
// whose it is; after it bytes pass both ways untouched. Nothing here reads what they say.

import { once } from 'node:events'
import { chmodSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'

export type Line = {
  socketPath: string
  sandboxId: string
  lineSocket: string
  connectionsMax: number
}

export const toPreamble = (sandboxId: string) => `TREADLE-LINE 1 ${sandboxId}\n`

/**
 * Disposing it makes the sandbox's token worthless: no connection stays, and no new one can come.
 */
export async function startRelay(line: Line): Promise<AsyncDisposable> {
  const open = new Set<Socket>()
  const track = (socket: Socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
    return socket
  }
  // Half-open: a client may end its side and still wait for the answer, so each side ends by
  // itself.
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
    const proxy = connect({ path: line.lineSocket, allowHalfOpen: true })
    proxy.write(toPreamble(line.sandboxId))
    carry(track(client), track(proxy))
  })
  server.maxConnections = line.connectionsMax
  server.listen(line.socketPath)
  await once(server, 'listening')
  chmodSync(line.socketPath, 0o666) // The folders above decide who gets here.
  return { [Symbol.asyncDispose]: () => close(server, open, line.socketPath) }
}

function carry(client: Socket, proxy: Socket): void {
  client.pipe(proxy)
  proxy.pipe(client)
  for (const [side, other] of [
    [client, proxy],
    [proxy, client],
  ] as const) {
    side.on('error', () => other.destroy()) // A broken side can't say so by bytes; closing says it.
    side.on('close', () => {
      // Cut, not ended: what it would have sent never comes.
      if (!side.readableEnded) other.destroy()
    })
  }
}

async function close(server: Server, open: ReadonlySet<Socket>, socketPath: string): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  for (const socket of open) socket.destroy()
  await closed
  await rm(socketPath, { force: true })
}
