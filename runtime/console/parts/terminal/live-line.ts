// A live terminal over a WebSocket that comes back by itself, to the byte.
import type { TerminalHello, TerminalNews, TerminalOrder } from '../../../weaver/api.ts'
import { TerminalPlace, toAfterClose, toWaitMs } from '../../words/terminal-line.ts'

export type Line = {
  send(keys: string): void
  order(order: TerminalOrder): void
  close(): void
}
type Heard = {
  bytes(bytes: Uint8Array): void
  /** At the start and after each break. `gapText` says in words what is missing; '' = nothing. */
  hello(hello: TerminalHello, how: { isAnew: boolean; gapText: string }): void
  news(news: Exclude<TerminalNews, TerminalHello>): void
  closed(text: string, isFinal: boolean): void
}

const encoder = new TextEncoder()
const keysBytesMax = 32 * 1024 // The server takes 64 KiB; a paste goes in pieces.

export function openLine(sandbox: string, heard: Heard): Line {
  const place = new TerminalPlace()
  let socket: WebSocket | undefined
  let tries = 0
  let isOver = false
  let later: ReturnType<typeof setTimeout> | undefined

  function open() {
    socket = new WebSocket(place.path(sandbox))
    socket.binaryType = 'arraybuffer'
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer | string>) => {
      if (typeof data === 'string') return hear(JSON.parse(data) as TerminalNews)
      place.take(data.byteLength)
      heard.bytes(new Uint8Array(data))
    }
    socket.onclose = ({ code, reason }) => {
      if (isOver) return
      const { isFinal, text } = toAfterClose(code, reason)
      heard.closed(text, isFinal)
      if (isFinal) return
      later = setTimeout(open, toWaitMs(tries))
      tries += 1
    }
  }

  function hear(news: TerminalNews) {
    if (news.type !== 'hello') return heard.news(news)
    tries = 0
    heard.hello(news, place.greet(news))
  }

  const isOpen = () => socket?.readyState === WebSocket.OPEN
  open()
  return {
    send(keys) {
      const bytes = encoder.encode(keys)
      for (let at = 0; at < bytes.length && isOpen(); at += keysBytesMax) {
        socket?.send(bytes.subarray(at, at + keysBytesMax))
      }
    },
    order: (order) => {
      if (isOpen()) socket?.send(JSON.stringify(order))
    },
    close() {
      isOver = true
      clearTimeout(later)
      socket?.close()
    },
  }
}
