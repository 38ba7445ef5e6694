// How a measured program tells where it listens: its address, on the first line that it prints.
import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'

const backlog = 4_096 // Every connection of a load comes at once.

export async function announceServer(server: Server): Promise<void> {
  server.listen({ port: 0, host: '127.0.0.1', backlog })
  await once(server, 'listening')
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`)
}
