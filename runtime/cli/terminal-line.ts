// One connection to a sandbox's terminal. It counts bytes; who attaches decides what a break means.
import { text } from 'node:stream/consumers'
import { WebSocket } from 'ws'
import type { TerminalNews, TerminalOrder } from '../weaver/api.ts'
import { toJson, toUnreachable } from './client.ts'
import { pathOf, segment } from './command.ts'
import { toFailure } from './errors.ts'
import type { Access } from './instance.ts'

/** Where a viewer is in a terminal's output: its next byte. */
export type Spot = { instance: string; offset: number }

type Wanted = { sandbox: string; mode: 'view' | 'write'; spot: Spot | undefined }
type Ears = {
  /** Before anything else of this line. */
  use(line: Line): void
  /** Answers false when it wants no more until `resume`. */
  onBytes(bytes: Buffer, resume: () => void): boolean
  onNews(news: TerminalNews): void
}
export type Line = Disposable & {
  keys(bytes: Buffer): void
  say(order: TerminalOrder): void
  closed: Promise<{ code: number; reason: string }>
}

const messageBytesMax = 8 * 1024 * 1024
const keysBytesMax = 16 * 1024 // Of one message; the server takes 64 KiB, and a paste may be longer.
const silentMsMax = 60_000 // The server pings each 15 s.

/** Throws a Failure where it does not open. */
export async function openLine(access: Access, wanted: Wanted, ears: Ears): Promise<Line> {
  const { sandbox, mode, spot } = wanted
  const path = pathOf(`/api/sandboxes/${segment(sandbox)}/terminal`, { mode, ...spot })
  const url = new URL(path, access.url)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  const socket = new WebSocket(url, {
    headers: { authorization: `Bearer ${access.token.reveal()}` },
    handshakeTimeout: 10_000,
    maxPayload: messageBytesMax,
  })
  listen(socket, ears)
  const closed = new Promise<{ code: number; reason: string }>((over) => {
    socket.once('close', (code, reason) => over({ code, reason: String(reason) }))
  })
  const line: Line = {
    closed,
    keys(bytes) {
      for (let at = 0; at < bytes.length; at += keysBytesMax) {
        socket.send(bytes.subarray(at, at + keysBytesMax))
      }
    },
    say: (order) => socket.send(JSON.stringify(order)),
    [Symbol.dispose]: () => socket.terminate(),
  }
  socket.once('open', () => ears.use(line))
  await opening(socket, access.url)
  cutWhenSilent(socket)
  return line
}

/** From the start: the first message may come with the opening answer itself. */
function listen(socket: WebSocket, { onBytes, onNews }: Ears): void {
  socket.on('message', (data, isBinary) => {
    if (!isBinary) return onNews(toJson(String(data), 101) as TerminalNews)
    if (!onBytes(data as Buffer, () => socket.resume())) socket.pause()
  })
}

function opening(socket: WebSocket, url: URL): Promise<void> {
  return new Promise((opened, failed) => {
    socket.once('open', opened)
    socket.on('error', (error) => failed(toUnreachable(url, error))) // Later its close tells.
    socket.once('unexpected-response', (_request, answer) => {
      const { statusCode = 0 } = answer
      text(answer).then((body) => failed(toFailure(statusCode, toJson(body, statusCode))), failed)
    })
  })
}

/** A line whose other side is gone without a word. */
function cutWhenSilent(socket: WebSocket): void {
  const limit = setTimeout(() => socket.terminate(), silentMsMax).unref()
  const onSign = () => void limit.refresh()
  socket.on('ping', onSign).on('message', onSign)
  socket.once('close', () => clearTimeout(limit))
}
