// A person's hands on an agent's terminal: a WebSocket here, another one to the daemon, and a
// bounded queue between.
import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { type RawData, WebSocket, WebSocketServer } from 'ws'
import { callerFaults } from '#kernel/caller.ts'
import { Fault } from '#kernel/fault.ts'
import type { RoleDeps } from '#kernel/role.ts'
import type { UserClaims } from '#kernel/tokens.ts'
import { assertAllowed, liveOr, type RoutesDeps } from './asked.ts'

type Deps = RoutesDeps & Pick<RoleDeps, 'log'>

const path = /^\/api\/sandboxes\/([0-9a-f]{1,64})\/terminal$/
const messageBytesMax = 8 * 1024 * 1024 // The daemon's first message is all it kept, at most 4 MiB.
const keysBytesMax = 64 * 1024
const behindBytesMax = 1024 * 1024 // Past this the agent's side waits for the person's.
const terminalsMax = 256
const unknown = 'caller/unknown'

export function handleTerminals(server: Server, deps: Deps): void {
  const terminals = new WebSocketServer({
    noServer: true,
    maxPayload: keysBytesMax,
    perMessageDeflate: false,
  })
  server.on('upgrade', async (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // The client's line broke. Without a listener it would end the process.
    socket.on('error', () => socket.destroy())
    try {
      if (terminals.clients.size >= terminalsMax) throw full
      const podSocket = await findTerminal(deps, request)
      terminals.handleUpgrade(request, socket, head, (client) =>
        join(client, openTerminal(podSocket)),
      )
    } catch (error) {
      if (!(error instanceof Fault)) deps.log.error({ error }, 'failed')
      refuse(socket, error)
    }
  })
}

const full = new Fault('weaver/full', {
  status: 503,
  text: `More than ${terminalsMax} terminals are open.`,
})

async function findTerminal(deps: Deps, request: IncomingMessage): Promise<string> {
  const claims = await callerOf(deps, request)
  const id = path.exec(request.url?.split('?', 1)[0] ?? '')?.[1] ?? ''
  const sandbox = await assertAllowed(deps, claims, 'sandbox:attach', id)
  return liveOr(deps.sandboxes, sandbox).started!.pod.socketPath
}

async function callerOf({ verify }: Deps, request: IncomingMessage): Promise<UserClaims> {
  const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1]
  const claims = token ? await verify(token) : undefined
  if (claims?.kind !== 'user') throw new Fault(unknown, callerFaults[unknown])
  return claims
}

function openTerminal(socketPath: string): WebSocket {
  return new WebSocket('ws://pod/agent/terminal', {
    createConnection: () => connect(socketPath),
    maxPayload: messageBytesMax,
    perMessageDeflate: false,
    followRedirects: false,
    handshakeTimeout: 10_000,
  })
}

// RFC 6455, 7.4.1.
const normal = 1000
const failed = 1011

function join(client: WebSocket, pod: WebSocket): void {
  const early: [RawData, boolean][] = []
  pod.on('open', () => {
    for (const [data, binary] of early.splice(0)) pod.send(data, { binary })
  })
  client.on('message', (data, binary) => {
    if (pod.readyState === WebSocket.OPEN) pass(pod, client, data, binary)
    // A size and some keys; more can't be meant yet.
    else if (early.length < 16) early.push([data, binary])
  })
  pod.on('message', (data, binary) => pass(client, pod, data, binary))
  pod.on('close', () => client.close(normal))
  client.on('close', () => pod.close())
  pod.on('error', () => client.close(failed))
  // Its close event follows, and closes the other side.
  client.on('error', () => client.terminate())
}

/** Sends on, and lets the source wait while the sink is behind. */
function pass(sink: WebSocket, source: WebSocket, data: RawData, binary: boolean): void {
  sink.send(data, { binary }, () => {
    if (source.isPaused && sink.bufferedAmount < behindBytesMax) source.resume()
  })
  if (sink.bufferedAmount >= behindBytesMax) source.pause()
}

function refuse(socket: Duplex, error: unknown): void {
  const status = error instanceof Fault ? error.status : 500
  const { code, message } =
    error instanceof Fault
      ? { code: error.code, message: error.publicMessage }
      : { code: 'internal', message: 'Something failed here; the log has it.' }
  const body = JSON.stringify({ code, message })
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  )
}
