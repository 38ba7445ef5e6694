// The way on to the other roles: whoever asks is named by a short-lived signed token, never by what they sent.
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex, Writable } from 'node:stream'
import type { RequestHandler } from 'express'
import httpProxy from 'http-proxy'
import type { RoleName, Signer } from '#kernel/tokens.ts'
import type { Caller } from './caller.ts'
import { fault } from './errors.ts'
import type { LiveLines } from './live-lines.ts'

// What lies behind which path. Whatever is not written here, `/internal` above all, can't be reached.
const roleOfNoun = new Map<string, RoleName>([
  ['loops', 'spool'],
  ['agents', 'spool'],
  ['sandboxes', 'weaver'],
  ['threads', 'threads'],
  ['providers', 'proxy'],
  ['budgets', 'proxy'],
  ['routes', 'proxy'],
  ['policies', 'proxy'],
  ['prices', 'proxy'],
  ['explain', 'proxy'],
  ['usage', 'proxy'],
  ['calls', 'proxy'],
  ['metrics', 'proxy'],
])

/** The role that answers this path. The gate let pass plain paths alone, so what is compared here is what it means. */
export const roleOf = (path: string): RoleName | undefined =>
  roleOfNoun.get(/^\/api\/([a-z]+)(?=\/|$)/.exec(path)?.[1] ?? '')

const tokenLifeMs = 60_000 // It is checked when the request begins; a stream may well outlive it.

export type Forward = Disposable & {
  /** Streams request and answer through. */
  http(caller: Caller, role: RoleName): RequestHandler
  /** Throws, or calls `refuse`, while the client can still be told; after that it cuts. */
  webSocket(upgrade: Upgrade, refuse: (error: unknown) => void): Promise<void>
}

type Upgrade = {
  caller: Caller
  role: RoleName
  request: IncomingMessage
  socket: Duplex
  head: Buffer
}

type Deps = {
  sign: Signer
  urls: ReadonlyMap<RoleName, URL>
  lines: LiveLines
  /** How long an event stream may stand still. */
  streamSilentMs: number
}

export function createForward({ sign, urls, lines, streamSilentMs }: Deps): Forward {
  // `toProxy` sends the path as it was checked, not as a second parser reads it. No agent: a connection a request, so
  // nothing that one caller sent can stand in front of another's request.
  const proxy = httpProxy.createProxyServer({ changeOrigin: true, toProxy: true })
  const terminals = new Map<Duplex, 'asked' | 'open'>()
  proxy.on('proxyReq', (upstream, _request, response) => abortWith(response, upstream))
  proxy.on('proxyRes', (answer, _request, response) => {
    // Between us and the peer only; the client's connection is its own, and stays open.
    delete answer.headers.connection
    delete answer.headers['keep-alive']
    if (!response.shouldKeepAlive) answer.headers.connection = 'close'
    // A peer that dies in mid-answer: cut, so that nobody takes the part for the whole.
    answer.once('close', () => answer.complete || response.destroy())
    // A stream's headers are news too, and http-proxy keeps them until its first byte.
    if (!answer.headers['content-length']) setImmediate(flush, response)
    // A peer that hangs, or whose machine is gone, says no goodbye.
    if (isEventStream(answer)) answer.setTimeout(streamSilentMs, () => answer.destroy())
  })
  proxy.on('proxyReqWs', (upstream, _request, socket) => {
    socket.once('close', () => upstream.destroy())
    upstream.once('upgrade', (_answer, peer: Duplex) => {
      terminals.set(socket, 'open')
      socket.once('close', () => peer.destroy())
    })
  })

  const prepare = async ({ claims }: Caller, role: RoleName, request: IncomingMessage) => {
    const url = urls.get(role)
    if (!url) throw peerDown(role)
    const token = await sign(claims, role, tokenLifeMs)
    toPeerHeaders(request)
    return { target: url.href, headers: { authorization: `Bearer ${token}` } }
  }

  const holdUntilClosed = ({ session, key }: Caller, line: Writable) => {
    const holder = session ?? key
    if (holder && !line.destroyed)
      line.once(
        'close',
        lines.hold(holder, () => line.destroy()),
      )
  }

  return {
    http: (caller, role) => async (request, response, next) => {
      holdUntilClosed(caller, response)
      const options = await prepare(caller, role, request)
      proxy.web(request, response, options, (cause) => {
        if (response.headersSent) response.destroy()
        else if (!response.destroyed) next(peerDown(role, cause))
      })
    },
    async webSocket({ caller, role, request, socket, head }, refuse) {
      holdUntilClosed(caller, socket)
      const upgrade = request.headers.upgrade!
      const options = await prepare(caller, role, request)
      if (socket.destroyed) return
      const headers = { ...options.headers, connection: 'Upgrade', upgrade }
      request.headers.upgrade = upgrade // http-proxy looks for it here.
      terminals.set(socket, 'asked')
      socket.once('close', () => terminals.delete(socket))
      proxy.ws(request, socket, head, { ...options, headers }, (cause) => {
        if (terminals.get(socket) === 'asked') refuse(peerDown(role, cause))
        else socket.destroy()
      })
    },
    [Symbol.dispose]() {
      // A server does not count what it upgraded among its connections, and would wait for them without end.
      for (const socket of terminals.keys()) socket.destroy()
    },
  }
}

function flush(response: ServerResponse): void {
  if (!response.headersSent && !response.destroyed) response.flushHeaders()
}

const isEventStream = ({ headers }: IncomingMessage) =>
  headers['content-type']?.startsWith('text/event-stream') === true

const peerDown = (role: RoleName, cause?: unknown) =>
  fault('auth/peer-down', { say: `It is ${role}.`, cause })

/** http-proxy goes on reading the upstream when the client has left; guarded by fault.test.ts. */
function abortWith(
  response: NodeJS.EventEmitter & { writableFinished: boolean; destroyed: boolean },
  upstream: ClientRequest,
) {
  if (response.destroyed) upstream.destroy() // It left while we signed.
  response.once('close', () => {
    if (!response.writableFinished) upstream.destroy()
  })
}

// RFC 9110 7.6.1, and what would let a caller speak for another.
const dropped = [
  'authorization',
  'cookie',
  'connection',
  'expect',
  'forwarded',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
]

/** Leaves of the caller's headers what a peer may see. Those that `Connection` names are hop-by-hop too. */
function toPeerHeaders({ headers }: IncomingMessage): void {
  const named = (headers.connection ?? '').toLowerCase().split(/\s*,\s*/)
  // The body's framing is ours to send on, whoever names it.
  const framing = new Set(['content-length', 'transfer-encoding', 'content-type', 'host'])
  for (const name of [...dropped, ...named.filter((name) => !framing.has(name))])
    delete headers[name]
  for (const name of Object.keys(headers)) if (name.startsWith('x-forwarded-')) delete headers[name]
}
