// The agent's terminal over a WebSocket: its bytes out, from any offset that is kept; keys and sizes in. The terminal
// outlives every viewer. Who may type is weaver's to decide: all that comes here is heard.
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocket, WebSocketServer } from 'ws'
import type { TerminalHello, TerminalNews } from '../weaver/api.ts'
import type { Agent } from './agent.ts'
import { fault } from './errors.ts'
import type { Size } from './marks.ts'

/** What weaver adds its own knowledge to: who writes, and how many watch. */
export type PodHello = Pick<TerminalHello, 'type' | 'instance' | 'offset' | 'gap' | 'cols' | 'rows'>

const tailBytes = 256 * 1024 // A few hundred full screens: what a terminal shows of the past.
const queuedBytesMax = 256 * 1024 // What waits to be sent; the rest waits in the tail.
const newsBytesMax = 2 * queuedBytesMax // A viewer that takes nothing hears of no more sizes either.
const pieceBytesMax = 64 * 1024
const messageBytesMax = 64 * 1024
const terminalsMax = 32
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

type Upgrade = { query: URLSearchParams; request: IncomingMessage; socket: Duplex; head: Buffer }

export function attach(agent: Agent, { query, request, socket, head }: Upgrade): void {
  if (server.clients.size >= terminalsMax) {
    throw fault('pod/busy', { say: `At most ${terminalsMax} terminals.` })
  }
  server.handleUpgrade(request, socket, head, (client) => show(agent, query, client))
}

function show(agent: Agent, query: URLSearchParams, client: WebSocket): void {
  const { offset, gap } = planStart(agent, query.get('instance'), query.get('offset'))
  const say = (news: TerminalNews | PodHello) => {
    if (client.bufferedAmount > newsBytesMax) client.terminate()
    else client.send(JSON.stringify(news))
  }
  say({ type: 'hello', instance: agent.instance, offset, gap, ...agent.size() })
  const pump = createPump(agent, client, offset)
  const leave = agent.listen({ onOutput: pump, onSize: (size) => say({ type: 'size', ...size }) })
  client.on('close', leave)
  client.on('error', () => client.terminate()) // Its close event follows; nothing else is to be done.
  client.on('message', (data, isBinary) => {
    if (isBinary) return agent.type(data as Buffer)
    const size = toSize(String(data))
    if (size) agent.resize(size)
    else client.close(notUnderstood)
  })
  pump()
  void agent.ended.then(pump)
}

/** Where a viewer begins, who may have seen a part. An offset that was never reached is none of this terminal. */
export function planStart(
  { instance, output }: Pick<Agent, 'instance' | 'output'>,
  askedInstance: string | null,
  askedOffset: string | null,
): { offset: number; gap: number | null } {
  const { startOffset, totalBytes } = output
  const latest = Math.max(startOffset, totalBytes - tailBytes)
  if (askedInstance === null) return { offset: latest, gap: 0 }
  const asked = Number(askedOffset ?? Number.NaN)
  const isKnown = Number.isSafeInteger(asked) && asked >= 0 && asked <= totalBytes
  if (askedInstance !== instance || !isKnown) return { offset: latest, gap: null }
  const offset = Math.max(asked, startOffset)
  return { offset, gap: offset - asked }
}

/**
 * Sends what the viewer lacks as fast as it takes it, and says so at the end. A viewer holds up nobody: what it doesn't
 * take waits in the tail, and where it falls out of that the viewer is cut.
 */
function createPump(agent: Agent, client: WebSocket, start: number): () => void {
  const { output } = agent
  let next = start
  return function pump() {
    while (next < output.totalBytes) {
      if (client.readyState !== WebSocket.OPEN || client.bufferedAmount >= queuedBytesMax) return
      if (next < output.startOffset) return client.close(tryAgainLater)
      const piece = output.slice(next, pieceBytesMax)
      next += piece.length
      client.send(piece, pump)
    }
    const { state, exit, signal } = agent.state()
    if (state !== 'ended' || client.readyState !== WebSocket.OPEN) return
    client.send(JSON.stringify({ type: 'ended', exit, signal } satisfies TerminalNews))
    client.close(ended)
  }
}

function toSize(message: string): Size | undefined {
  try {
    const { cols, rows } = JSON.parse(message) as { cols: unknown; rows: unknown }
    return isSize(cols) && isSize(rows) ? { cols, rows } : undefined
  } catch {
    return undefined // No JSON: the caller closes.
  }
}

const isSize = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 1 && (value as number) <= sizeMax
