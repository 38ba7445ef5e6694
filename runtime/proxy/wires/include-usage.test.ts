import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { canTakeUsageOut, createUsageRemover } from './include-usage.ts'

const say = (content: string) =>
  JSON.stringify({ choices: [{ index: 0, delta: { content } }], usage: null })
const count = '{"id":"c","choices": [ ],"usage":{"prompt_tokens":1,"completion_tokens":2}}'
/** An event of ours to be taken out, or of theirs to stay. */
type Part = { text: string; isTaken?: boolean }

const streams: Record<string, Part[]> = {
  'usage before the mark of the end': [
    { text: `data: ${say('hé👋')}\n\n` },
    { text: `data: ${count}\n\n`, isTaken: true },
    { text: 'data: [DONE]\n\n' },
  ],
  'ends of lines of two bytes': [
    { text: `: ping\r\n\r\ndata: ${say('a')}\r\n\r\n` },
    { text: `data: ${count}\r\n\r\n`, isTaken: true },
    { text: 'data: [DONE]\r\n\r\n' },
  ],
  'ends of lines of CR alone': [
    { text: `data: ${say('a')}\r\r` },
    { text: `data: ${count}\r\r`, isTaken: true },
    { text: 'data: [DONE]\r\r' },
  ],
  'usage first, twice, and last without an end': [
    { text: `event: x\nid: 7\ndata:${count}\n\n`, isTaken: true },
    { text: `data: ${say('a')}\n\n` },
    { text: `data: ${count}\n\n`, isTaken: true },
    { text: `data: ${count}`, isTaken: true },
  ],
  'usage over two lines of data': [
    { text: `data: ${say('a')}\n\n` },
    { text: 'data: {"choices":[],\ndata: "usage":{"prompt_tokens":1}}\n\n', isTaken: true },
    { text: ': bye\n\n' },
  ],
  'what looks like it and is not stays': [
    { text: 'data: {"choices":[],"prompt_filter_results":[]}\n\n' },
    { text: 'data: {"choices":[],"usage":null}\n\n' },
    { text: `data: ${say('{"choices":[],"usage":{}}')}\n\n` },
    { text: 'data: {"choices":[{"choices":[]}],"usage":{"prompt_tokens":1}}\n\n' },
    { text: 'data: {"choices":[],"usage":{\n\n' },
    { text: '{"choices":[],"usage":{"total_tokens":1}}\n\n' },
    { text: '\n\n\ndata: x\n\n' },
    { text: 'data: no end' },
  ],
  'an event over the bound passes, and the one behind it is found': [
    { text: `data: {"choices":[],"usage":{"total_tokens":1},"x":"${'y'.repeat(17_000)}"}\n\n` },
    { text: `data: ${count}\n\n`, isTaken: true },
    { text: `data: ${say('z'.repeat(40_000))}\r\n\r\n` },
    { text: `data: ${count}\r\n\r\n`, isTaken: true },
    { text: 'data: [DONE]\n\n' },
  ],
}

function remove(chunks: readonly Buffer[]): Buffer {
  const remover = createUsageRemover()
  const out = [...chunks.map((chunk) => remover.push(chunk)), remover.end()]
  return Buffer.concat(out.filter((piece) => piece !== null))
}

const isLarge = (bytes: Buffer) => bytes.length > 10_000

describe('taking usage out of a stream that did not ask for it', () => {
  for (const [title, parts] of Object.entries(streams)) {
    const bytes = Buffer.from(parts.map(({ text }) => text).join(''))
    const left = parts.filter(({ isTaken }) => !isTaken).map(({ text }) => text)

    test(`${title}: at every cut in two, and in three, and byte by byte`, () => {
      const expected = Buffer.from(left.join(''))
      const assertLeft = (chunks: Buffer[], how: string) =>
        assert.ok(remove(chunks).equals(expected), `${how}: ${remove(chunks)}`.slice(0, 500))
      assertLeft([bytes], 'whole')
      const step = isLarge(bytes) ? 97 : 1
      for (let at = 1; at < bytes.length; at += step) {
        assertLeft([bytes.subarray(0, at), bytes.subarray(at)], `cut at ${at}`)
        const then = Math.min(bytes.length, at + 3)
        const three = [bytes.subarray(0, at), bytes.subarray(at, then), bytes.subarray(then)]
        assertLeft(three, `cut at ${at} and ${then}`)
      }
      const size = isLarge(bytes) ? 7 : 1
      const count = Math.ceil(bytes.length / size)
      const pieces = Array.from({ length: count }, (_, i) =>
        bytes.subarray(i * size, (i + 1) * size),
      )
      assertLeft(pieces, 'in small pieces')
    })
  }

  test('no bytes whatever are changed, but those of usage', () => {
    const piece = fc.oneof(
      fc.constantFrom('\n', '\r', '\r\n', 'data: ', ': ', `data: ${say('x')}\n\n`, '"choices":[]'),
      fc.string({ unit: 'binary' }),
    )
    fc.assert(
      fc.property(fc.array(piece), fc.integer({ min: 1, max: 50 }), (pieces, size) => {
        const bytes = Buffer.from(pieces.join(''))
        const count = Math.ceil(bytes.length / size)
        const chunks = Array.from({ length: count }, (_, i) =>
          bytes.subarray(i * size, (i + 1) * size),
        )
        assert.deepEqual(remove(chunks), bytes)
      }),
    )
  })

  test('an event goes out as soon as it is whole, and no sooner is anything held back', () => {
    const remover = createUsageRemover()
    const first = Buffer.from(`data: ${say('a')}\n\n`)
    assert.deepEqual(remover.push(first), first)
    assert.equal(remover.push(Buffer.from('data: {"choi')), null)
    assert.equal(remover.push(Buffer.from('ces":[],"usage":{"total_tokens":1}}\n\n')), null)
    assert.deepEqual(remover.push(first), first)
    const large = Buffer.alloc(20_000, 'x')
    assert.deepEqual(remover.push(large), large)
    assert.equal(remover.end(), null)
  })

  test('only a stream of events that is not packed is looked into', () => {
    assert.equal(canTakeUsageOut('text/event-stream; charset=utf-8', undefined), true)
    assert.equal(canTakeUsageOut('text/event-stream', 'identity'), true)
    assert.equal(canTakeUsageOut('text/event-stream', 'gzip'), false)
    assert.equal(canTakeUsageOut('application/json', undefined), false)
  })
})
