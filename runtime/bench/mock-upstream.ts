// A program: the upstream of every gateway measured here. Raw TCP, fixed answers in a vendor's shape; what it costs is
// the rig's and no gateway's. A request whose body says `"stream":true` gets events, any other one an answer of 1 KB.
import { createServer, type Socket } from 'node:net'
import { announceServer } from './announce.ts'
import { Framing, findHeadEnd, headEndBytes } from './http1.ts'

const eventsMax = 200
const burst = 20 // Events a write: about two Ethernet frames, as vendors send them.
const wordBytes = 820 // Makes the whole answer 1 KB.
const lookBytes = 8_192 // All of a small body: gateways that write it anew change the order of its keys.

const usage = {
  input_tokens: 10,
  cache_creation_input_tokens: 200,
  cache_read_input_tokens: 1_900,
  output_tokens: 57,
}
const message = { id: 'msg_1', type: 'message', role: 'assistant', model: 'claude-sonnet-4-5' }

const unary = JSON.stringify({
  ...message,
  content: [{ type: 'text', text: 'x'.repeat(wordBytes) }],
  stop_reason: 'end_turn',
  usage,
})
const vendorHeaders = 'request-id: req_1\r\nanthropic-ratelimit-requests-remaining: 99\r\n'
const unaryReply = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n${vendorHeaders}content-length: ${unary.length}\r\n\r\n${unary}`,
)

const toEvent = (data: { type: string; [key: string]: unknown }) =>
  `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`
const toChunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`
const delta = toEvent({
  type: 'content_block_delta',
  index: 0,
  delta: { type: 'text_delta', text: 'six words of text are here ' },
})
const opening = [
  toEvent({ type: 'message_start', message: { ...message, content: [], usage } }),
  toEvent({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
].join('')
const closing = [
  toEvent({ type: 'content_block_stop', index: 0 }),
  toEvent({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage }),
  toEvent({ type: 'message_stop' }),
].join('')
const streamHead = `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n${vendorHeaders}transfer-encoding: chunked\r\n\r\n`
const bursts = Array.from({ length: eventsMax / burst }, () => toChunk(delta).repeat(burst))
const streamWrites = [
  streamHead + toChunk(opening) + bursts[0],
  ...bursts.slice(1),
  `${toChunk(closing)}0\r\n\r\n`,
].map((text) => Buffer.from(text))

function answer(socket: Socket, isStream: boolean): void {
  if (isStream) for (const piece of streamWrites) socket.write(piece)
  else socket.write(unaryReply)
}

function serve(socket: Socket): void {
  let framing: Framing | undefined
  let seen: Buffer = Buffer.alloc(0)
  let bodyAt = 0
  socket.setNoDelay(true)
  socket.on('error', () => socket.destroy()) // A gateway that left: its own matter.
  socket.on('data', (data: Buffer) => {
    // The first bytes of a message are kept until they hold its head and the keys looked for.
    if (!framing || seen.length < bodyAt + lookBytes) seen = Buffer.concat([seen, data])
    if (framing) framing.take(data, 0)
    else {
      const stop = findHeadEnd(seen)
      if (stop < 0) return
      bodyAt = stop + headEndBytes
      framing = new Framing(seen.toString('latin1', 0, stop))
      framing.take(seen, bodyAt)
    }
    if (!framing.isOver) return
    const start = seen.toString('latin1', bodyAt, bodyAt + lookBytes)
    framing = undefined
    seen = Buffer.alloc(0)
    answer(socket, start.includes('"stream":true'))
  })
}

await announceServer(createServer(serve))
