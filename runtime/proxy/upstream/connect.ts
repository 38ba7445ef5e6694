// A socket to an upstream: plain or TLS, directly or through an outgoing HTTP proxy. It is handed over when a request may be
// written to it, and not before.
import {
  connect as connectTcp,
  isIP,
  type LookupFunction,
  type OnReadOpts,
  type Socket,
} from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { AddressError } from '#kernel/address.ts'
import { UpstreamError } from './error.ts'
import { ResponseReader } from './response.ts'

export type OutgoingProxy = {
  host: string
  port: number
  /** The whole header, where it wants one. */
  authorization: string | null
  /** Checks what the name resolves to. */
  lookup: LookupFunction
}
export type Route = {
  host: string
  port: number
  isTls: boolean
  /** Trusted instead of the public authorities. */
  ca: string | null
  lookup: LookupFunction
  proxy: OutgoingProxy | null
  connectMs: number
  /** The last TLS session, to be resumed. */
  session?: Buffer
}
/** Where what is read goes: not through the socket's stream, which allocates 64 KiB for each read however small. */
export type Inlet = { take: ((data: Buffer) => void) | null }
type Done = (error: Error | null, socket: Socket | null, inlet: Inlet) => void

const probeMs = 30_000 // An upstream that vanished without a word is noticed 10 s later, long before it is late.
const readBytesMax = 64 * 1024
const shared = Buffer.allocUnsafeSlow(readBytesMax) // Each read is copied out of it before the next one.

/** Calls `done` once, unless it is cancelled before. Returns the cancelling. */
export function openSocket(route: Route, done: Done): () => void {
  const opened: Socket[] = []
  const inlet: Inlet = { take: null }
  const onread = {
    buffer: shared,
    callback: (bytes: number) => {
      const data = Buffer.allocUnsafe(bytes)
      shared.copy(data, 0, 0, bytes)
      inlet.take?.(data)
      return true
    },
  }
  const finish = (error: Error | null, socket: Socket | null) => {
    clearTimeout(late)
    if (error) for (const one of opened) one.destroy()
    for (const one of opened) one.off('error', fail).off('close', close)
    if (!error) opened[0]!.setKeepAlive(true, probeMs)
    done(error, socket, inlet)
    for (const one of opened) if (error) one.on('error', () => {}) // It was told.
  }
  const fail = (error: Error) => finish(toFailure(error), null)
  const close = () => fail(new Error('the connection was closed'))
  const watch = <Kind extends Socket>(socket: Kind): Kind => {
    opened.push(socket)
    socket.on('error', fail).on('close', close)
    return socket
  }
  const late = setTimeout(
    () => finish(new UpstreamError('connect-timeout', 'connecting takes too long'), null),
    route.connectMs,
  )
  const tunnels = route.isTls && route.proxy !== null
  const secure = (below: Socket | null) => {
    const socket = watch(startTls(route, below, onread))
    socket.once('secureConnect', () => finish(null, socket))
  }
  if (route.isTls && !route.proxy) secure(null)
  else {
    const { host, port } = route.proxy ?? route
    const { lookup } = route.proxy ?? route
    const socket = watch(
      connectTcp({ host, port, noDelay: true, lookup, ...(!tunnels && { onread }) }),
    )
    socket.once('connect', () => {
      if (tunnels) askTunnel(socket, route, () => secure(socket), fail)
      else finish(null, socket)
    })
  }
  return () => {
    clearTimeout(late)
    for (const one of opened)
      one
        .off('error', fail)
        .off('close', close)
        .on('error', () => {})
        .destroy()
  }
}

const toFailure = (error: Error): Error =>
  error instanceof AddressError || error instanceof UpstreamError
    ? error
    : new UpstreamError('connect-failed', error.message, { cause: error })

function startTls(route: Route, below: Socket | null, onread: OnReadOpts): TLSSocket {
  const { host, port, lookup, ca, session } = route
  const socket = connectTls({
    ...(below ? { socket: below } : { host, port, lookup, onread }),
    host,
    servername: isIP(host) === 0 ? host : '', // Addresses have no place there (RFC 6066 section 3).
    ALPNProtocols: ['http/1.1'],
    ...(ca !== null && { ca }),
    ...(session && { session }),
  })
  socket.setNoDelay(true)
  socket.on('session', (fresh: Buffer) => {
    route.session = fresh
  })
  return socket
}

/** RFC 9110 section 9.3.6. */
function askTunnel(
  socket: Socket,
  { host, port, proxy }: Route,
  opened: () => void,
  fail: (error: Error) => void,
): void {
  const place = `${host.includes(':') ? `[${host}]` : host}:${port}`
  const given = proxy!.authorization
  const credential = given === null ? '' : `proxy-authorization: ${given}\r\n`
  const reader = new ResponseReader('HEAD') // An answer that opens a tunnel has no body either.
  const take = (piece: Buffer) => {
    try {
      const taken = reader.take(piece, { onHead: () => {}, onData: () => {} })
      if (!reader.isOver) return
      socket.off('data', take).pause()
      const { status } = reader.head!
      if (status >= 300) throw new Error(`the outgoing proxy answered ${status}`)
      if (taken !== piece.length) throw new Error('the outgoing proxy said too much')
      opened()
    } catch (error) {
      fail(error as Error)
    }
  }
  socket.on('data', take)
  socket.write(`CONNECT ${place} HTTP/1.1\r\nhost: ${place}\r\n${credential}\r\n`, 'latin1')
}
