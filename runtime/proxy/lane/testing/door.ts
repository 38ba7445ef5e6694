// A door with the lanes behind it and a handler that tells what it was given; and the general lane alone, to compare with.
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Exchange } from '../../exchange.ts'
import { assertFraming } from '../../headers.ts'
import { Refusal } from '../../refusal.ts'
import { GeneralExchange } from '../general.ts'
import { createLanes, type LaneLimits } from '../lanes.ts'

export const limits: LaneLimits = {
  headersMs: 10_000,
  requestMs: 10_000,
  keepAliveMs: 10_000,
  stallMs: 10_000,
  drainMs: 3_000,
}

export type Told = { method: string; target: string; headers: readonly string[]; body: string }

/** Answers with what it was asked; `seen` has each. */
export function createTeller() {
  const seen: Told[] = []
  const store = { bytes: 0, bytesMax: 1e9 }
  const handle = (exchange: Exchange) => {
    void answer(exchange).catch((error: unknown) => {
      if (error instanceof Refusal) exchange.reply.send(400, ['connection', 'close'], error.code)
    })
  }
  const answer = async (exchange: Exchange) => {
    assertFraming(exchange)
    const { method, target, headers, reply } = exchange
    const body = await exchange.readBody(1e6, store)
    store.bytes -= body.length
    const told = { method, target, headers, body: body.toString('latin1') }
    seen.push(told)
    reply.send(200, ['date', 'now', 'x-seen', `${seen.length}`], `${method} ${target} ${told.body}`)
  }
  return { seen, store, handle }
}

export async function startDoor(
  handle: (exchange: Exchange) => void,
  more: Partial<LaneLimits> = {},
) {
  const lanes = createLanes(handle, { ...limits, ...more })
  const server = createServer(
    { allowHalfOpen: true, noDelay: true, pauseOnConnect: true },
    (socket) => lanes.accept(socket, undefined),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    lanes,
    async [Symbol.asyncDispose]() {
      server.close()
      lanes.drain()
      await lanes[Symbol.asyncDispose]()
    },
  }
}

export async function startGeneral(handle: (exchange: Exchange) => void) {
  const server = createHttpServer({ maxHeaderSize: 64 * 1_024 }, (request, response) =>
    handle(new GeneralExchange(request, response, { stallMs: limits.stallMs, isDraining: false })),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** Connects; `got` grows by what comes. */
export function startClient(port: number) {
  const socket: Socket = connect(port, '127.0.0.1')
  const client = { socket, got: '', isClosed: false, error: null as Error | null }
  socket.setEncoding('latin1').on('data', (text: string) => {
    client.got += text
  })
  socket.on('error', (error) => {
    client.error = error
  })
  socket.on('close', () => {
    client.isClosed = true
  })
  return client
}
