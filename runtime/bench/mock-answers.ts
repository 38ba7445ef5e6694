// The bytes that the mock upstream answers with.

const eventsMax = 200
const burst = 20 // Events a write: about two Ethernet frames, as vendors send them.
const wordBytes = 820 // Makes the whole answer 1 KB.

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
export const unaryReply = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n${vendorHeaders}content-length: ${unary.length}\r\n\r\n${unary}`,
)

const toEvent = (data: { type: string; [key: string]: unknown }) =>
  `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`
const toChunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`
const toDelta = (text: string) =>
  toEvent({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })
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
const delta = toChunk(toDelta('six words of text are here '))
const bursts = Array.from({ length: eventsMax / burst }, () => delta.repeat(burst))

export const streamOpening = Buffer.from(streamHead + toChunk(opening))
export const streamClosing = Buffer.from(`${toChunk(closing)}0\r\n\r\n`)
export const streamWrites: readonly Buffer[] = [
  Buffer.from(streamHead + toChunk(opening) + bursts[0]),
  ...bursts.slice(1).map((text) => Buffer.from(text)),
  streamClosing,
]

// One clock for all processes of a machine: an event says when it was written, and whoever reads it how long that took.
export const toPacedEvent = (atNs: bigint) =>
  toChunk(toDelta(`at ${atNs}, six words of text are here `))
export const atPattern = /"at (\d+),/g
