import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import fc from 'fast-check'
import { createMarks, type Size } from './marks.ts'
import { toRecording } from './recording.ts'
import { createTail } from './tail.ts'
import { startPod, type TestPod, until } from './testing.ts'

const plenty = 10_000_000
const usual = { cols: 80, rows: 24 }

type Options = { tailBytes?: number; marksMax?: number }
type Read = { bytes: Uint8Array | string; afterMs: number; size?: Size }

/** What a terminal would have kept of these reads; the first is at one second past the epoch. */
function keep(reads: readonly Read[], { tailBytes = 1_000, marksMax = 1_000 }: Options = {}) {
  let nowMs = 1_000
  const tail = createTail(tailBytes)
  const marks = createMarks(marksMax, () => nowMs)
  marks.note(0, usual)
  let now: Size = usual
  for (const { bytes, afterMs, size = now } of reads) {
    nowMs += afterMs
    now = size
    marks.note(tail.totalBytes, now)
    tail.push(Buffer.from(bytes as string))
  }
  return (bytesMax = plenty) => parse(toRecording(tail, marks.list(), bytesMax))
}

function parse(recording: Buffer) {
  const [header, ...events] = recording.toString().trimEnd().split('\n')
  return {
    header: JSON.parse(header!) as { version: number; width: number; timestamp: number },
    events: events.map((line) => JSON.parse(line) as [number, string, string]),
    bytes: recording.length,
  }
}

const textOf = ({ events }: ReturnType<typeof parse>) =>
  events.map(([, kind, text]) => (kind === 'o' ? text : '')).join('')

describe('a recording', () => {
  test('has a header, and each read at its time', () => {
    const { header, events } = keep([
      { bytes: 'one', afterMs: 100 },
      { bytes: '\u001b[1m"two"', afterMs: 1_500 },
    ])()
    const env = { TERM: 'xterm-256color' }
    assert.deepEqual(header, { version: 2, width: 80, height: 24, timestamp: 1, env })
    assert.deepEqual(events, [
      [0.1, 'o', 'one'],
      [1.6, 'o', '\u001b[1m"two"'],
    ])
  })

  test('has a change of size where it came', () => {
    const size = { cols: 100, rows: 30 }
    const { header, events } = keep([
      { bytes: 'a', afterMs: 50 },
      { bytes: 'b', afterMs: 50, size },
    ])()
    assert.equal(header.width, 80)
    assert.deepEqual(events.slice(1), [
      [0.1, 'r', '100x30'],
      [0.1, 'o', 'b'],
    ])
  })

  test('joins characters that reads cut, and shows what is none as U+FFFD', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.uint8Array()), { maxLength: 8 }),
        fc.array(fc.nat(12)),
        (parts, cuts) => {
          const all = Buffer.concat(parts.map((part) => Buffer.from(part as string)))
          const reads: Read[] = []
          for (let at = 0, cut = 0; at < all.length; cut += 1) {
            const length = (cuts[cut % (cuts.length || 1)] ?? 5) + 1
            reads.push({ bytes: all.subarray(at, at + length), afterMs: 20 })
            at += length
          }
          const whole = new TextDecoder('utf-8', { ignoreBOM: true }).decode(all)
          assert.equal(textOf(keep(reads, { tailBytes: plenty })()), whole)
        },
      ),
    )
  })

  test('that is too long lacks its head, and is right about sizes and times', () => {
    const size = { cols: 100, rows: 30 }
    const reads = Array.from({ length: 50 }, (_, index) => ({
      bytes: `${String(index).padStart(3, '0')}é\n`, // Six bytes.
      afterMs: 700,
      ...(index >= 10 && { size }),
    }))
    for (const [kept, bytesMax] of [
      [keep(reads, { tailBytes: 64 }), plenty], // Begins in the middle of a read, and of a character.
      [keep(reads, { marksMax: 12 }), plenty],
      [keep(reads), 700],
    ] as const) {
      const { header, events, bytes } = kept(bytesMax)
      assert.ok(bytes <= bytesMax)
      assert.equal(header.width, 100)
      assert.ok(events.length >= 5 && events.length < 15, String(events.length))
      assert.ok(events[0]![0] >= 0 && events[0]![0] < 1)
      const [lastAt, , lastText] = events.at(-1)!
      assert.equal(lastText, '049é\n')
      assert.equal((header.timestamp + lastAt).toFixed(3), (1 + 50 * 0.7).toFixed(3))
      assert.doesNotMatch(events.map(([, , text]) => text).join(''), /\ufffd/)
    }
  })

  test('of random reads is the end of what was read, whatever is kept', () => {
    const reads = fc.array(
      fc.record({ bytes: fc.string({ maxLength: 20 }), afterMs: fc.nat(300) }),
      { minLength: 1 },
    )
    const options = fc.record({
      tailBytes: fc.integer({ min: 1, max: 200 }),
      marksMax: fc.integer({ min: 2, max: 20 }),
    })
    fc.assert(
      fc.property(reads, options, fc.integer({ min: 300, max: 2_000 }), (some, kept, bytesMax) => {
        const shown = keep(some, kept)(bytesMax)
        const all = some.map(({ bytes }) => bytes as string).join('')
        assert.ok(all.endsWith(textOf(shown)))
        assert.ok(shown.bytes <= bytesMax)
        const times = shown.events.map(([at]) => at)
        assert.deepEqual(
          times,
          times.toSorted((a, b) => a - b),
        )
      }),
    )
  })
})

describe("an agent's recording", () => {
  let pod: TestPod
  beforeEach(async () => {
    pod = await startPod()
  })
  afterEach(() => pod[Symbol.asyncDispose]())
  const recording = async () => parse((await pod.call('GET', '/agent/recording')).bytes)

  test('is not there before the agent, and has its pauses', async () => {
    assert.equal((await pod.call('GET', '/agent/recording')).status, 404)
    const startedAt = Date.now()
    await pod.startAgent('printf a; sleep 0.5; printf "\\303"; sleep 0.1; printf "\\251z"')
    await pod.agentEnd()
    const { header, events } = await recording()
    assert.deepEqual(
      events.map(([, kind, text]) => kind + text),
      ['oa', 'oéz'],
    )
    const [first, second] = events.map(([at]) => at) as [number, number]
    assert.ok(second - first >= 0.59 && second - first < 5, JSON.stringify(events))
    assert.ok(Math.abs((header.timestamp + first) * 1_000 - startedAt) < 10_000)
  })

  test('is bounded, also where every byte is escaped to six', async () => {
    await pod.startAgent('head -c 9000000 /dev/zero | tr "\\0" "\\001"; echo; echo end; read line')
    await until(async () => (await pod.call('GET', '/agent/output?tail=9')).bytes.includes('end'))
    const { bytes, events } = await recording()
    assert.ok(bytes <= 4 * 1024 ** 2 && bytes > 1024 ** 2, String(bytes))
    assert.match(events.map(([, , text]) => text).join(''), /end\r\n$/)
  })
})
