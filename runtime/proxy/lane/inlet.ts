// Reads a client's bytes into memory of our own: a socket's stream allocates 64 KiB for each read, however little comes, and a
// large body would be read in pieces and then joined. Here small reads share one buffer, and a body is read into its own place.
import { type OnReadOpts, Socket } from 'node:net'

export type Sink = {
  /** @param data Valid until it returns. False = nothing more is read until the socket is resumed. */
  take(data: Buffer): boolean
  /** Where the next bytes belong; null = they are to be taken. */
  room(): Buffer | null
  /** Bytes came into a place that `room` gave. False = it is wanted no more: they are to be taken. */
  filled(place: Uint8Array, bytes: number): boolean
}
export type Inlet = { sink: Sink | null }

const readBytesMax = 64 * 1024
const shared = Buffer.allocUnsafeSlow(readBytesMax) // Node reads one socket after the other.

/** What a server's socket is made of: `net.Socket` takes the first, and counts itself out of the second when it closes. */
type Accepted = Socket & { _handle?: object | null; _server?: object | null }

/**
 * The same connection as a socket that reads into memory of ours (`onread`, which node:net has for outgoing sockets alone). It
 * must be paused still. Null where Node has it otherwise inside: the accepted socket is then as good as it was.
 */
export function adopt(accepted: Accepted): { socket: Socket; inlet: Inlet } | null {
  const { _handle: handle, _server: server } = accepted
  if (!handle || !server || accepted.readableLength > 0) return null
  accepted._handle = null
  accepted._server = null
  const inlet: Inlet = { sink: null }
  const onread: OnReadOpts = {
    buffer: () => inlet.sink?.room() ?? shared,
    callback: (bytes, place) => {
      const { sink } = inlet
      if (!sink) return false
      if (place !== shared && sink.filled(place, bytes)) return true
      return sink.take(Buffer.from(place.buffer, place.byteOffset, bytes))
    },
  }
  const options = { handle, onread, allowHalfOpen: true, readable: true, writable: true }
  const socket: Accepted = new Socket(options as object)
  socket._server = server
  return { socket, inlet }
}
