// The only way out of the sandbox: a loopback port, carried over a Unix socket to weaver's relay.
// It carries bytes, and knows nothing of what they say.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

const connectionsMax = 256 // An agent's own parallel calls are tens; each costs two sockets here and more outside.

/** Answers the origin at which the agent finds the proxy. It carries until the process ends. */
export async function startForwarder(port: number, line: string): Promise<string> {
  // Half-open: a client may end its side and still wait for the answer, so each side ends by itself.
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    carry(client, connect({ path: line, allowHalfOpen: true }))
  })
  server.maxConnections = connectionsMax
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function carry(client: Socket, line: Socket): void {
  client.pipe(line)
  line.pipe(client)
  for (const [side, other] of [
    [client, line],
    [line, client],
  ] as const) {
    side.on('error', () => other.destroy()) // A broken side can't say so by bytes; closing says it.
    side.on('close', () => {
      if (!side.readableEnded) other.destroy() // Cut, not ended: what it would have sent never comes.
    })
  }
}
