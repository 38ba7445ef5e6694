// WebSockets, which pass by the router: the same gate, the same caller, one route.
import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { Fault } from '#kernel/fault.ts'
import type { Logger } from '#kernel/log.ts'
import type { NoteDenial } from './access-log.ts'
import type { Authenticate } from './authenticate.ts'
import { fault } from './errors.ts'
import type { Forward } from './forward.ts'
import type { Gate } from './gate.ts'

const terminalPath = /^\/api\/sandboxes\/[^/]+\/terminal$/

type Deps = {
  gate: Gate
  authenticate: Authenticate
  forward: Forward
  noteDenial: NoteDenial
  log: Logger
}

export function handleUpgrades(
  server: Server,
  { gate, authenticate, forward, noteDenial, log }: Deps,
) {
  server.on('upgrade', async (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy()) // The client's line broke. Without a listener it would end the process.
    try {
      gate(request)
      const isTerminal = terminalPath.test(request.url!.split('?', 1)[0]!)
      const isWebSocket = request.headers.upgrade?.toLowerCase() === 'websocket'
      if (!isTerminal || !isWebSocket) throw fault('auth/upgrade')
      const caller = await authenticate(request)
      const terminal = { caller, role: 'weaver', request, socket, head } as const
      await forward.webSocket(terminal, (error) => refuse(socket, error, log))
    } catch (error) {
      await noteDenial(error, request)
      refuse(socket, error, log)
    }
  })
}

function refuse(socket: Duplex, error: unknown, log: Logger): void {
  const isFault = error instanceof Fault
  if (isFault) log.info({ code: error.code, detail: error.message }, 'refused')
  else log.error({ error }, 'failed')
  const status = isFault ? error.status : 500
  const { code, message } = isFault
    ? { code: error.code, message: error.publicMessage }
    : { code: 'internal', message: 'Something failed here; the log has it.' }
  const body = JSON.stringify({ code, message })
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  )
}
