// Finds WebSockets whose other side is gone without a word, or takes nothing.
import type { WebSocket } from 'ws'

export type Liveness = Disposable & {
  /** Cuts it when two rounds brought nothing of it. Answers what is to be called when it took some bytes. */
  watch(socket: WebSocket): () => void
}

const roundMs = 15_000 // A viewer so slow may come back by its offset.

export function watchLiveness(everyMs = roundMs): Liveness {
  const quiet = new Map<WebSocket, boolean>()
  const round = setInterval(() => {
    for (const [socket, isQuiet] of quiet) {
      if (isQuiet) {
        socket.terminate()
        continue
      }
      quiet.set(socket, true)
      socket.ping()
    }
  }, everyMs).unref()
  return {
    watch(socket) {
      const onSign = () => void quiet.set(socket, false)
      onSign()
      socket.on('pong', onSign).on('message', onSign)
      socket.once('close', () => quiet.delete(socket))
      return () => void (quiet.has(socket) && quiet.set(socket, false))
    },
    [Symbol.dispose]: () => clearInterval(round),
  }
}
