// Both lanes behind any number of doors: each connection begins in the fast one, and what isn't plainly in its subset goes to
// the general one, in the middle of a connection as well. The lane decides nothing else.
import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import type { Handle } from '../handler.ts'
import { FastConnection, type Lane } from './fast-connection.ts'
import { GeneralExchange } from './general.ts'
import { adopt } from './inlet.ts'
import { headBytesMax } from './request.ts'

export type LaneLimits = {
  headersMs: number
  requestMs: number
  keepAliveMs: number
  stallMs: number
  /** How long answers under way may go on when the lanes are disposed. */
  drainMs: number
}
export type Lanes = AsyncDisposable & {
  /** @param socket Paused, as `pauseOnConnect` leaves it, or read from before. @param line The sandbox whose line it is. */
  accept(socket: Socket, line: string | undefined): void
  /** From now on answers end their connections, and idle ones end. */
  drain(): void
  counts(): { fast: number; general: number; fastCalls: number; generalCalls: number }
}

const stepMs = 250
const checkMs = 1_000 // How exactly the general lane keeps its time-outs.
const lingerMs = 2_000 // So long a client may take to read the last answer of a connection.
const drainStepMs = 10

export function createLanes(handle: Handle, limits: LaneLimits): Lanes {
  const fast = new Set<FastConnection>()
  const sockets = new Set<Socket>()
  const calls = { fast: 0, general: 0 }
  const general = createServer(
    {
      maxHeaderSize: headBytesMax,
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: checkMs,
    },
    (request, response) => {
      calls.general += 1
      handle(new GeneralExchange(request, response, lane))
    },
  )
  // It never listens, and node:http begins to watch over its connections' time-outs when a server does: so it is told that it
  // does. Guarded by lane.test.ts: a slow head in the general lane.
  general.emit('listening')
  const lane: Lane & { nowMs: number; isDraining: boolean } = {
    ...limits,
    lingerMs,
    nowMs: performance.now(),
    isDraining: false,
    handle(exchange) {
      calls.fast += 1
      handle(exchange)
    },
    toGeneral(connection, socket) {
      fast.delete(connection)
      general.emit('connection', socket)
      socket.resume() // It was paused while nobody listened.
    },
    onGone: (connection) => void fast.delete(connection),
  }
  const clock = setInterval(() => {
    lane.nowMs = performance.now()
    for (const one of fast) if (one.deadlineMs <= lane.nowMs) one.expire()
  }, stepMs).unref()

  const endIdle = () => {
    for (const one of fast) one.drain()
    general.closeIdleConnections()
  }

  return {
    accept(accepted, line) {
      const adopted = line === undefined ? adopt(accepted) : null
      const socket = adopted?.socket ?? accepted
      sockets.add(socket)
      socket.on('error', () => {}) // A reset; 'close' follows, and the call it carried ends by that.
      socket.once('close', () => sockets.delete(socket))
      fast.add(new FastConnection(socket, line, lane, adopted?.inlet ?? null))
      socket.resume()
    },
    drain() {
      lane.isDraining = true
      endIdle()
    },
    counts: () => ({
      fast: fast.size,
      general: sockets.size - fast.size,
      fastCalls: calls.fast,
      generalCalls: calls.general,
    }),
    async [Symbol.asyncDispose]() {
      for (const end = performance.now() + limits.drainMs; sockets.size > 0; ) {
        endIdle() // Also those whose answer had begun before anybody knew that it is the last one.
        if (performance.now() > end) for (const socket of sockets) socket.destroy()
        const { promise, resolve } = Promise.withResolvers<void>()
        setTimeout(resolve, drainStepMs)
        await promise
      }
      clearInterval(clock)
      general.close()
    },
  }
}
