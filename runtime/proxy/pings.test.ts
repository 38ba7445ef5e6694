import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Reply } from './exchange.ts'
import { withPings } from './pings.ts'

const events: readonly string[] = ['content-type', 'text/event-stream; charset=utf-8']
const ping = 'event: ping\ndata: {"type": "ping"}\n\n'

/** A reply that keeps what it is told, as a client reads it. */
function createReply() {
  const got = { text: '', framing: '', isTaken: true }
  const reply: Reply = {
    isBegun: false,
    isGone: false,
    onClose: null,
    onDrain: null,
    send: () => {},
    begin(_status, _headers, framing) {
      got.framing = framing
    },
    write(payload) {
      got.text += payload.toString('latin1')
      return got.isTaken
    },
    end: () => {},
    reset: () => {},
  }
  return { got, reply }
}

const start = (
  headers: readonly string[] = events,
  wire: 'messages' | 'gemini' = 'messages',
  client: readonly string[] = [],
) => {
  const { got, reply } = createReply()
  const told = withPings(reply, 1_000, { wire, headers: client })
  told.begin(200, headers, 'passed')
  const write = (text: string) => told.write(Buffer.from(text, 'latin1'), Buffer.from('framed'))
  return { got, inner: reply, told, write }
}

describe('a sign of life', () => {
  const streams = {
    'line feeds': 'event: a\ndata: {"x":1}\ndata: 2\n\n: note\n\ndata: 3\n\n',
    'both characters': 'event: a\r\ndata: {"x":1}\r\n\r\n: note\r\n\r\ndata: 3\r\n\r\n',
    'returns alone': 'data: 1\r\rdata: 2\r\r',
    'both kinds': 'data: 1\n\r\ndata: 2\r\n\n\r\ndata: 3\r\r\r\n\n',
  }
  for (const [name, stream] of Object.entries(streams)) {
    test(`comes between events alone, wherever a stream with ${name} pauses`, (t) => {
      t.mock.timers.enable({ apis: ['setTimeout'] })
      for (let cut = 0; cut <= stream.length; cut += 1) {
        for (const pieceBytes of [1, 3, 1_000]) {
          const { got, told, write } = start()
          const writeAll = (text: string) => {
            for (let at = 0; at < text.length; at += pieceBytes)
              write(text.slice(at, at + pieceBytes))
          }
          writeAll(stream.slice(0, cut))
          t.mock.timers.tick(1_000)
          writeAll(stream.slice(cut))
          told.end()
          const isBetween = cut === 0 || /\n\r?\n$/.test(stream.slice(0, cut))
          const expected = stream.slice(0, cut) + (isBetween ? ping : '') + stream.slice(cut)
          assert.equal(got.text, expected, `cut at ${cut}, ${pieceBytes} at once`)
        }
      }
    })
  }

  test('comes again after each silence, and bytes put it off', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const { got, told, write } = start()
    assert.equal(got.framing, 'own')
    t.mock.timers.tick(999)
    write('data: 1\n\n')
    t.mock.timers.tick(999)
    assert.equal(got.text, 'data: 1\n\n')
    for (const ms of [1, 1_000, 1_000]) t.mock.timers.tick(ms)
    assert.equal(got.text, `data: 1\n\n${ping}${ping}${ping}`)
    told.end()
    t.mock.timers.tick(5_000)
    assert.equal(got.text, `data: 1\n\n${ping}${ping}${ping}`)
  })

  for (const [title, headers, wire, client] of [
    ['an answer that is no stream', ['content-type', 'application/json'], 'messages', []],
    ['a packed stream', [...events, 'content-encoding', 'gzip'], 'messages', []],
    ['a stream of a known length', [...events, 'content-length', '90'], 'messages', []],
    [
      "Google's older library, which cannot read it",
      events,
      'gemini',
      ['x-goog-api-client', 'genai-js/0.24.1'],
    ],
  ] as const) {
    test(`never comes to ${title}`, (t) => {
      t.mock.timers.enable({ apis: ['setTimeout'] })
      const { got } = start(headers, wire, client)
      t.mock.timers.tick(10_000)
      assert.deepEqual([got.text, got.framing], ['', 'passed'])
    })
  }

  test('is a comment to clients of the other wires', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const { got } = start(events, 'gemini', ['x-goog-api-client', 'google-genai-sdk/3.1.0'])
    t.mock.timers.tick(1_000)
    assert.equal(got.text, ': keep-alive\n\n')
  })

  test('waits for a client that is behind, and ends with one that left', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const { got, inner, told, write } = start()
    const calls: string[] = []
    told.onDrain = () => calls.push('drain')
    told.onClose = () => calls.push('close')
    got.isTaken = false
    assert.equal(write('data: 1\n\n'), false)
    t.mock.timers.tick(3_000)
    assert.equal(got.text, 'data: 1\n\n')
    got.isTaken = true
    inner.onDrain!()
    t.mock.timers.tick(1_000)
    assert.equal(got.text, `data: 1\n\n${ping}`)
    inner.onClose!()
    t.mock.timers.tick(3_000)
    assert.equal(got.text, `data: 1\n\n${ping}`)
    assert.deepEqual(calls, ['drain', 'close'])
  })
})
