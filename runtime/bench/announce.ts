// How a measured program tells where it listens: its address, on the first line that it prints.
import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'

const backlog = 4_096 // Every connection of a load comes at once.

/** Over TLS by a name, for certificates are checked against one. */
export async function announceServer(server: Server, scheme: 'http' | 'https' = 'http') {
  server.listen({ port: 0, host: '127.0.0.1', backlog })
  await once(server, 'listening')
  const host = scheme === 'https' ? 'localhost' : '127.0.0.1'
  process.stdout.write(`${scheme}://${host}:${(server.address() as AddressInfo).port}\n`)
}
