// One viewer and the daemon of its sandbox: bytes one way, keys the other, and bounded queues between. A side that
// doesn't take what is sent holds up the other one's socket, and nobody else's.
// **Security.** The daemon may be the agent: its texts are parsed, its frames bounded, its close codes translated.
import { connect } from 'node:net'
import { type RawData, WebSocket } from 'ws'
import { z } from 'zod'
import { type TerminalNews, TerminalOrder, type TerminalQuery } from './api.ts'
import { fault } from './errors.ts'
import type { Seat, Tell } from './terminal-room.ts'

/** What each means for a viewer stands in `api.ts`. */
export const closeCodes = {
  ended: 1000,
  goingAway: 1001,
  notUnderstood: 1003,
  failed: 1011,
  behind: 1013,
  sandboxEnded: 4410,
} as const

const pieceBytesMax = 256 * 1024 // Of the daemon, which sends 64 KiB at most.
const behindBytesMax = 256 * 1024 // Past this the other side waits.
const newsBytesMax = 1024 * 1024 // Past this a viewer takes nothing at all, and is cut.
const openMsMax = 10_000

/** Opened, and paused until somebody listens. Throws a Fault with the daemon's words when it refuses. */
export function openDaemon(socketPath: string, query: TerminalQuery): Promise<WebSocket> {
  const { instance, offset } = query
  const search = instance === undefined ? '' : `?instance=${instance}&offset=${offset}`
  const daemon = new WebSocket(`ws://pod/agent/terminal${search}`, {
    createConnection: () => connect(socketPath),
    maxPayload: pieceBytesMax,
    perMessageDeflate: false,
    followRedirects: false,
    handshakeTimeout: openMsMax,
  })
  return new Promise((opened, failed) => {
    daemon.once('open', () => {
      daemon.pause()
      opened(daemon)
    })
    daemon.on('error', (cause) => failed(fault('weaver/pod-failed', { cause })))
    daemon.once('unexpected-response', (_request, answer) => {
      answer.on('error', () => {}) // Of a connection that is given up.
      daemon.terminate()
      failed(refusalOf(answer.statusCode ?? 0))
    })
  })
}

const refusalOf = (status: number) => {
  if (status === 404) return fault('weaver/refused', { say: 'No agent was started here yet.' })
  if (status === 429) return fault('weaver/full', { say: 'Its daemon shows no more terminals.' })
  return fault('weaver/pod-failed', { say: `It answered ${status}.` })
}

type Relay = {
  client: WebSocket
  daemon: WebSocket
  mayWrite: boolean
  /** To be the writer from the start, where the place is free. */
  wantsWrite: boolean
  enter(tell: Tell): Seat
  onProgress(): void
  whyEnded(): Promise<string | undefined>
}

export function relay(joined: Relay): void {
  const { client, daemon } = joined
  let seat: Seat | undefined
  let hasEnded = false
  const fail = () => {
    end(client, closeCodes.failed)
    daemon.terminate()
  }
  daemon.on('message', (data, isBinary) => {
    if (isBinary && seat) return pass(data, { from: daemon, to: client, ...joined })
    const news = isBinary ? undefined : parseNews(data)
    if (!news || (news.type === 'hello') === (seat !== undefined)) return fail()
    hasEnded ||= news.type === 'ended'
    if (news.type !== 'hello') return say(client, news)
    seat = takeSeat(joined, news)
    client.resume()
  })
  client.on('message', (data, isBinary) => {
    if (isBinary && seat?.writer() === 'you')
      return pass(data, { from: client, to: daemon, ...joined })
    const order = isBinary ? 'keys' : parseOrder(data)
    if (!order || !seat) return end(client, closeCodes.notUnderstood)
    obey(order, seat, joined)
  })
  daemon.on('close', (code) => {
    if (hasEnded) end(client, closeCodes.ended)
    else if (code === closeCodes.behind) end(client, closeCodes.behind)
    else void sayWhy(joined)
  })
  client.on('close', () => {
    seat?.leave()
    // While it is paused it would not hear the answer to a close.
    if (daemon.isPaused) daemon.terminate()
    else daemon.close()
  })
  client.on('error', () => client.terminate()) // Its close event follows, and closes the other side.
  client.pause() // Until the terminal is there.
  daemon.resume()
}

function takeSeat({ client, mayWrite, wantsWrite, enter }: Relay, hello: DaemonHello): Seat {
  let isGreeted = false
  const seat = enter((news) => {
    if (isGreeted) say(client, news)
  })
  if (wantsWrite && mayWrite && seat.writer() === null) seat.take()
  say(client, { ...hello, writer: seat.writer(), viewers: seat.viewers(), mayWrite })
  isGreeted = true
  return seat
}

function obey(order: TerminalOrder | 'keys', seat: Seat, { client, daemon, mayWrite }: Relay) {
  const refuse = (reason: string) => say(client, { type: 'refused', reason })
  if (!mayWrite) return refuse('You may watch this terminal, and not type into it.')
  if (order !== 'keys' && order.type === 'take') return seat.take()
  if (order !== 'keys' && order.type === 'release') return seat.release()
  if (order === 'keys' || seat.writer() !== 'you') {
    const who = seat.writer() === null ? 'Nobody' : 'Somebody else'
    return refuse(`${who} writes: take the writer's place first.`)
  }
  daemon.send(JSON.stringify({ cols: order.cols, rows: order.rows }))
}

function say(client: WebSocket, news: TerminalNews): void {
  if (client.bufferedAmount > newsBytesMax) client.terminate()
  else client.send(JSON.stringify(news))
}

type Passing = { from: WebSocket; to: WebSocket; onProgress(): void }

/** Sends on, and lets the source wait while the sink is behind. */
function pass(data: RawData, { from, to, onProgress }: Passing): void {
  to.send(data, { binary: true }, () => {
    onProgress()
    if (from.isPaused && to.bufferedAmount < behindBytesMax) from.resume()
  })
  if (to.bufferedAmount >= behindBytesMax) from.pause()
}

function end(client: WebSocket, code: number, why?: string): void {
  client.close(code, why)
  client.resume() // Or it would not hear the answer.
}

/** The daemon is gone, or broke off. */
async function sayWhy({ client, whyEnded }: Relay): Promise<void> {
  const why = await whyEnded()
  if (why === undefined) end(client, closeCodes.failed)
  else end(client, closeCodes.sandboxEnded, why)
}

const Size = z.object({ cols: z.int().min(1).max(65_535), rows: z.int().min(1).max(65_535) })
const DaemonNews = z.discriminatedUnion('type', [
  Size.extend({
    type: z.literal('hello'),
    instance: z.string().regex(/^[\w-]{1,64}$/),
    offset: z.int().min(0),
    gap: z.int().min(0).nullable(),
  }),
  Size.extend({ type: z.literal('size') }),
  z.object({
    type: z.literal('ended'),
    exit: z.int().nullable(),
    signal: z.string().max(20).nullable(),
  }),
])
type DaemonHello = Extract<z.infer<typeof DaemonNews>, { type: 'hello' }>

const parseNews = (data: RawData) => parseJson(DaemonNews, data)
const parseOrder = (data: RawData) => parseJson(TerminalOrder, data)

function parseJson<T>(schema: z.ZodType<T>, data: RawData): T | undefined {
  try {
    return schema.safeParse(JSON.parse(String(data))).data
  } catch {
    return undefined // No JSON, so no message.
  }
}
