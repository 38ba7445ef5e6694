// A person's hands on the agent's terminal, over a WebSocket: its bytes out, keys and sizes in.
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Agent } from './agent.ts'
import { fault } from './errors.ts'

const tailBytes = 256 * 1024 // A few hundred full screens: what a terminal shows of the past.
const behindBytesMax = 4 * 1024 ** 2 // A window that far behind shows nothing of use; it may come back.
const messageBytesMax = 64 * 1024
const terminalsMax = 16
const sizeMax = 1_000 // Columns or rows; the kernel takes 65,535 and programs allocate by it.

// Close codes of RFC 6455, 7.4.1, and 1013 of its registry.
const ended = 1000
const notUnderstood = 1003
const tryAgainLater = 1013

const server = new WebSocketServer({
  noServer: true,
  maxPayload: messageBytesMax,
  perMessageDeflate: false,
})

export function attach(agent: Agent, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  if (server.clients.size >= terminalsMax) {
    throw fault('pod/busy', { say: `At most ${terminalsMax} terminals.` })
  }
  server.handleUpgrade(request, socket, head, (client) => show(agent, client))
}

function show(agent: Agent, client: WebSocket): void {
  const send = (chunk: Buffer) => {
    if (client.bufferedAmount <= behindBytesMax) return client.send(chunk)
    leave()
    client.close(tryAgainLater)
  }
  client.send(agent.output(tailBytes))
  const leave = agent.listen(send)
  client.on('close', leave)
  client.on('error', () => client.terminate()) // Its close event follows; nothing else is to be done.
  client.on('message', (data, isBinary) => {
    if (isBinary) agent.type(data as Buffer)
    else if (!resize(agent, String(data))) client.close(notUnderstood)
  })
  void agent.ended.then(() => client.close(ended))
}

function resize(agent: Agent, message: string): boolean {
  const size = toSize(message)
  if (size) agent.resize(size.cols, size.rows)
  return size !== undefined
}

function toSize(message: string): { cols: number; rows: number } | undefined {
  try {
    const { cols, rows } = JSON.parse(message) as { cols: unknown; rows: unknown }
    return isSize(cols) && isSize(rows) ? { cols, rows } : undefined
  } catch {
    return undefined // No JSON: the caller closes.
  }
}

const isSize = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 1 && (value as number) <= sizeMax
