// HTTP/1.1 to one upstream with one credential: pooled connections of our own over node:net and node:tls. A pool is never
// shared between providers, so no credential's bytes can come back on another's connection.
// **Limits.** It follows no redirect, retries nothing, and reads no answer that could be read in two ways.

import { openSocket, type Route } from './connect.ts'
import { Call, Connection, type Keeper } from './connection.ts'
import { UpstreamError } from './error.ts'
import type { ResponseHead } from './response.ts'

export type UpstreamRequest = {
  method: string
  path: string
  /** Names and values in turn; without host, length and what belongs to the connection. */
  headers: readonly string[]
  body: Buffer
}
/** `nothing` = provably not a byte of the request was written. */
export type Sent = 'nothing' | 'maybe'

export type UpstreamHandler = {
  /** The request is being written from here on. */
  onStart(): void
  onHead(head: ResponseHead): void
  /** Once a read of the socket: the body's bytes, and the same with their framing. */
  onData(payload: Buffer, raw: Buffer): void
  onEnd(): void
  onError(error: Error, sent: Sent): void
}
/** After `abort` the handler hears nothing more; after the answer's end nothing has an effect. */
export type UpstreamCall = { pause(): void; resume(): void; abort(): void }

export type Upstream = {
  send(request: UpstreamRequest, handler: UpstreamHandler): UpstreamCall
  /** Connections open and idle. */
  counts(): { open: number; idle: number }
  /** No more calls; those under way end first. */
  close(): Promise<void>
  destroy(): void
}

export type UpstreamOptions = { route: Route; firstByteMs: number; idleMs: number }

// Servers that tell nothing keep idle connections for 5 s and longer (uvicorn, Node), so the last moment of ours is before that.
const keptMs = 4_000
const keptMsMax = 60_000
const hintMarginS = 1
const stepMsMin = 20
const stepMsMax = 1_000
const stepsPerDeadline = 8

export function createUpstream({ route, firstByteMs, idleMs }: UpstreamOptions): Upstream {
  const stepMs = Math.min(
    stepMsMax,
    Math.max(stepMsMin, Math.min(firstByteMs, idleMs) / stepsPerDeadline),
  )
  const all = new Set<Connection>()
  const idle: Connection[] = []
  const opening = new Set<Call>()
  const toHead = createHeadWriter(route)
  let clock: NodeJS.Timeout | undefined
  let onEmpty: (() => void) | null = null
  let isClosed = false

  const step = () => {
    keeper.nowMs += stepMs
    for (const connection of all) if (connection.deadlineMs <= keeper.nowMs) connection.expire()
  }
  const keeper: Keeper & { nowMs: number } = {
    nowMs: 0,
    // The clock lags by up to a step: nothing ends before its time.
    firstByteMs: firstByteMs + stepMs,
    idleMs: idleMs + stepMs,
    onFree(connection, keepAliveS) {
      const hintMs = keepAliveS === null ? keptMs : (keepAliveS - hintMarginS) * 1_000
      if (isClosed || hintMs <= 0) return connection.destroy()
      connection.deadlineMs = keeper.nowMs + Math.min(keptMsMax, hintMs)
      idle.push(connection)
    },
    onGone(connection) {
      all.delete(connection)
      const at = idle.indexOf(connection)
      if (at >= 0) idle.splice(at, 1)
      settle()
    },
  }
  const settle = () => {
    if (all.size + opening.size > 0) return
    clearInterval(clock)
    clock = undefined
    onEmpty?.()
  }
  const takeIdle = (): Connection | undefined => {
    for (let one = idle.pop(); one; one = idle.pop()) {
      if (one.isUsable) return one
      one.destroy()
    }
    return undefined
  }
  const open = (call: Call) => {
    opening.add(call)
    const cancel = openSocket(route, (error, socket, inlet) => {
      call.cancel = null
      opening.delete(call)
      if (error) call.fail(error)
      else {
        clock ??= setInterval(step, stepMs).unref()
        const connection = new Connection(socket!, inlet, keeper)
        all.add(connection)
        connection.start(call)
        socket!.resume()
      }
      settle()
    })
    call.cancel = () => {
      opening.delete(call)
      cancel()
      settle()
    }
  }
  return {
    send(request, handler) {
      const call = new Call(request, handler)
      try {
        if (isClosed) throw new UpstreamError('closed', 'the provider is closed')
        call.head = toHead(request)
      } catch (error) {
        process.nextTick(() => call.fail(error as Error))
        return call
      }
      const connection = takeIdle()
      if (connection) connection.start(call)
      else open(call)
      return call
    },
    counts: () => ({ open: all.size, idle: idle.length }),
    async close() {
      isClosed = true
      for (const connection of idle.splice(0)) connection.destroy()
      if (all.size + opening.size === 0) return
      await new Promise<void>((resolve) => {
        onEmpty = resolve
      })
    },
    destroy() {
      isClosed = true
      for (const call of opening) {
        call.cancel?.()
        call.fail(new UpstreamError('closed', 'the provider is closed'))
      }
      for (const connection of all) connection.cut()
    },
  }
}

const isPath = /^\/[\x21-\x7e]*$/
const isUnsafe = /[^\t\x20-\x7e\x80-\xff]/ // A line break in a value would be a header of its own, or a request.

/** The head of a request as text of latin-1. Throws for what would not stay one head. */
function createHeadWriter({ host, port, isTls, proxy }: Route) {
  const name = host.includes(':') ? `[${host}]` : host
  const isUsual = port === (isTls ? 443 : 80)
  const place = isUsual ? name : `${name}:${port}`
  const isForwarded = proxy !== null && !isTls
  const origin = isForwarded ? `http://${place}` : ''
  const given = isForwarded && proxy.authorization
  const fixed = ` HTTP/1.1\r\nhost: ${place}\r\n${given ? `proxy-authorization: ${given}\r\n` : ''}`
  return ({ method, path, headers, body }: UpstreamRequest): string => {
    if (!isPath.test(path)) throw new Error('a path of an upstream is none')
    let head = `${method} ${origin}${path}${fixed}`
    for (let i = 0; i < headers.length; i += 2) {
      const value = headers[i + 1]!
      if (isUnsafe.test(value)) throw new Error(`the header ${headers[i]} would break the request`)
      head += `${headers[i]}: ${value}\r\n`
    }
    const hasBody = body.length > 0 || (method !== 'GET' && method !== 'HEAD')
    return hasBody ? `${head}content-length: ${body.length}\r\n\r\n` : `${head}\r\n`
  }
}
