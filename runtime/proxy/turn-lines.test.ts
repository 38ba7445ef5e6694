// What is written of a conversation, and what is read of it again: by one reader, by one that forgot, and by one that begins later.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { createBodies } from './bodies.ts'
import { openSegments } from './segments.ts'
import type { TurnHead } from './turn.ts'
import { createRequestReader, toLines, toPieces } from './turn-lines.ts'
import type { HandedTurn } from './turns.ts'

function open(segmentBytesMax: number) {
  const folder = mkdtempSync(join(tmpdir(), 'turn-lines-'))
  const segments = openSegments({ folder, name: 't', segmentBytesMax, syncMs: null })
  return {
    segments,
    [Symbol.dispose]() {
      segments[Symbol.dispose]()
      rmSync(folder, { recursive: true })
    },
  }
}

const toHead = (call: string) =>
  ({ call, answer: { text: 'é\n', toolCalls: [] } }) as unknown as TurnHead

/** As calls come one after the other, and some in the meantime. */
function createWriter(segments: ReturnType<typeof open>['segments']) {
  const bodies = createBodies()
  let waiting: HandedTurn[] = []
  return {
    hand(call: string, session: string, request: Buffer) {
      const alike = bodies.find(session, request)
      const known = bodies.keep(session, { call, body: request, trail: null }, alike)
      waiting.push({ head: toHead(call), request, known, alike })
    },
    write() {
      if (waiting.length > 0) segments.append(toPieces(waiting, segments.next()))
      waiting = []
    },
  }
}

async function readAll(
  { segments }: ReturnType<typeof open>,
  read: (
    line: Buffer,
    segment: number,
  ) => ReturnType<ReturnType<typeof createRequestReader>['read']>,
) {
  const found = new Map<string, string>()
  for (let from = segments.start(); ; ) {
    const { bytes, next } = await segments.readBytes(from, 100_000)
    if (bytes.length === 0) return found
    for (const line of toLines(bytes)) {
      const turn = await read(line, next.segment)
      if (turn) found.set(turn.head.call, turn.request.toString('latin1'))
    }
    from = next
  }
}

const toSpoken = (bytes: Buffer) => bytes.toString('latin1').replaceAll('\n', ' ')

describe('the lines of conversations', () => {
  test('a call that goes on from another is written as what it says anew', async () => {
    using file = open(1e9)
    const writer = createWriter(file.segments)
    const start = `{"m":["${'é'.repeat(50_000)}"`
    writer.hand('1', 's', Buffer.from(`${start}],"tools":[1,\n2]}`))
    writer.hand('2', 's', Buffer.from(`${start},"more"],"tools":[1,\n2]}`))
    writer.write()
    assert.ok(file.segments.bytes() < 101_000, `${file.segments.bytes()} bytes`)
    const { read } = createRequestReader(file.segments)
    const found = await readAll(file, read)
    assert.equal(
      Buffer.from(found.get('2')!, 'latin1').toString(),
      `${start},"more"],"tools":[1, 2]}`,
    )
  })

  test('are read again to the byte, whoever reads them', async () => {
    const piece = fc.record({
      session: fc.constantFrom('a', 'b'),
      /** Of the one before, what is kept at its start. */
      kept: fc.double({ min: 0, max: 1, noNaN: true }),
      said: fc.oneof(fc.uint8Array({ maxLength: 50 }), fc.constant(Buffer.from('\n"é\n'))),
      end: fc.boolean(),
      isWritten: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 12 }), async (pieces) => {
        using file = open(90_000)
        const writer = createWriter(file.segments)
        const last = new Map<string, Buffer>()
        const wanted = new Map<string, string>()
        for (const [index, { session, kept, said, end, isWritten }] of pieces.entries()) {
          const before =
            last.get(session) ??
            Buffer.from(`${session}${'x\n'.repeat(20_000)}${'y'.repeat(9_000)}`)
          const cut = Math.floor(kept * before.length)
          const rest = end ? before.subarray(cut) : Buffer.alloc(0)
          const request = Buffer.concat([before.subarray(0, cut), said, rest])
          last.set(session, request)
          writer.hand(`${index}`, session, request)
          wanted.set(`${index}`, toSpoken(request))
          if (isWritten) writer.write()
        }
        writer.write()
        const { read } = createRequestReader(file.segments)
        assert.deepEqual(await readAll(file, read), wanted)
        const forgetful = (line: Buffer, segment: number) =>
          createRequestReader(file.segments).read(line, segment)
        assert.deepEqual(await readAll(file, forgetful), wanted)
      }),
      { numRuns: 60 },
    )
  })

  test('a torn line is none', async () => {
    using file = open(1e9)
    const { read } = createRequestReader(file.segments)
    for (const torn of ['', '{"call":"1"', '{"call":"1","base":{"call":"0"}']) {
      assert.equal(await read(Buffer.from(torn), 1), undefined)
    }
    const base = { call: 'gone', start: 1, end: 1 }
    assert.equal(await read(Buffer.from(`${JSON.stringify({ call: '1', base })}\tx`), 1), undefined)
  })
})
