// HTTP/1.1 as bytes: a vendor and a client that send and keep what the test gives them, cut where the test says.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'

export type Message = { start: string; headers: [string, string][]; body: Buffer }

/** One message, or null while it is not whole. `isOver`: nothing more comes. */
export function parseMessage(bytes: Buffer, isOver: boolean): Message | null {
  let at = 0
  for (;;) {
    const end = bytes.indexOf('\r\n\r\n', at)
    if (end < 0) return null
    const [start = '', ...lines] = bytes.toString('latin1', at, end).split('\r\n')
    at = end + 4
    if (/^HTTP\/1.1 1/.test(start)) continue // Informational: the answer follows.
    const headers = lines.map((line): [string, string] => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon), line.slice(colon + 1).trim()]
    })
    const body = toBody(bytes.subarray(at), headers, isOver || /^HTTP\/1.1 (204|304)/.test(start))
    return body && { start, headers, body }
  }
}

const findValue = (headers: Message['headers'], name: string) =>
  headers.find(([one]) => one.toLowerCase() === name)?.[1]

function toBody(rest: Buffer, headers: Message['headers'], isOver: boolean): Buffer | null {
  if (findValue(headers, 'transfer-encoding') === 'chunked') return joinChunks(rest)
  const length = findValue(headers, 'content-length')
  if (length === undefined) return isOver ? rest : null
  return rest.length < Number(length) ? null : rest.subarray(0, Number(length))
}

function joinChunks(rest: Buffer): Buffer | null {
  const chunks: Buffer[] = []
  for (let at = 0; ; ) {
    const end = rest.indexOf('\r\n', at)
    if (end < 0) return null
    const size = Number.parseInt(rest.toString('latin1', at, end), 16)
    if (size === 0) return rest.indexOf('\r\n', end + 2) < 0 ? null : Buffer.concat(chunks)
    chunks.push(rest.subarray(end + 2, end + 2 + size))
    at = end + 4 + size
    if (at > rest.length) return null
  }
}

/** Sends bytes in pieces, each in a turn of its own, so that the other side may see them apart. */
export async function sendPieces(
  socket: Socket,
  bytes: Buffer,
  cuts: readonly number[],
): Promise<void> {
  let from = 0
  for (const to of [...cuts, bytes.length]) {
    if (to > from && !socket.destroyed) socket.write(bytes.subarray(from, to))
    from = to
    await turn()
  }
}

export const everyByte = (bytes: Buffer) => Array.from(bytes, (_byte, at) => at)

/** Cuts at places that a seed decides. */
export function randomCuts(bytes: Buffer, seed: number): number[] {
  let state = seed
  const next = () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return state / 2_147_483_648
  }
  const cuts = Array.from({ length: 12 }, () => Math.floor(next() * bytes.length))
  return cuts.sort((one, other) => one - other)
}

type Answer = { bytes: Buffer; cuts: readonly number[]; isClosing: boolean }

/** A vendor that answers each request with the bytes of the moment, and keeps each as it came. */
export async function startByteVendor() {
  const seen: Message[] = []
  const state = { answer: { bytes: Buffer.alloc(0), cuts: [], isClosing: false } as Answer }
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    let got = Buffer.alloc(0)
    socket.on('error', () => {}) // The proxy's own closing.
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (chunk: Buffer) => {
      got = Buffer.concat([got, chunk])
      const request = parseMessage(got, false)
      if (!request) return
      got = Buffer.alloc(0)
      seen.push(request)
      const { bytes, cuts, isClosing } = state.answer
      void sendPieces(socket, bytes, cuts).then(() => isClosing && socket.end())
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const close = async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
  return { url, seen, state, [Symbol.asyncDispose]: close }
}

/** One request as bytes, and its answer. The request asks to close the connection after it. */
export async function askBytes(url: URL, bytes: Buffer, cuts: readonly number[]): Promise<Message> {
  const socket = connect({ port: Number(url.port), host: url.hostname, noDelay: true })
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  const closed = once(socket, 'close')
  await sendPieces(socket, bytes, cuts)
  await closed
  const message = parseMessage(Buffer.concat(chunks), true)
  if (!message) throw new Error(`no whole answer: ${Buffer.concat(chunks).toString('latin1')}`)
  return message
}
