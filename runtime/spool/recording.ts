// An agent's terminal as it was recorded: asciicast v2, a JSON object and then a JSON array a line.
// https://docs.asciinema.org/manual/asciicast/v2/
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { z } from 'zod'

const compress = promisify(gzip)
const rawBytesMax = 4 * 1024 ** 2 // Hours of an agent's terminal; of a longer one the head is dropped.
const linesMax = 80_000 // A daemon notes 65,536 pieces at most. In memory a line takes a hundred bytes more than it has.
const secondsMax = 1e9 // Thirty years, and ten times as much is the year 2286: any more is no time.
const newline = 10

/** What a player needs. Whatever else stands there is left behind. */
const Head = z.object({
  version: z.literal(2),
  width: z.int().min(1).max(10_000),
  height: z.int().min(1).max(10_000),
  timestamp: z
    .number()
    .min(0)
    .max(secondsMax * 10)
    .optional()
    .catch(undefined),
})
// A time from the start on, so that what is left of a recording keeps its times when its head goes.
const Moment = z.tuple([z.number().min(0).max(secondsMax), z.string().max(1), z.string()])

/** Undefined where it is no recording, or shows nothing. Memory is bounded, however long the body is. */
export async function toStoredRecording(body: AsyncIterable<Buffer>): Promise<Buffer | undefined> {
  let head: string | undefined
  const tail = createTail()
  for await (const line of toLines(body)) {
    if (head === undefined) {
      head = toLine(Head, line)
      if (head === undefined) return undefined
    } else tail.push(line)
  }
  const moments = tail.lines().flatMap((line) => toLine(Moment, line) ?? [])
  if (head === undefined || moments.length === 0) return undefined
  return compress(`${[head, ...moments].join('\n')}\n`)
}

async function* toLines(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of body) {
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    for (let end = bytes.indexOf(newline); end !== -1; end = bytes.indexOf(newline)) {
      yield Buffer.from(bytes.subarray(0, end))
      bytes = bytes.subarray(end + 1)
    }
    rest = Buffer.from(bytes)
    if (rest.length > rawBytesMax) return // No player takes such a line.
  }
  if (rest.length > 0) yield rest
}

/** The last lines that fit. */
function createTail() {
  let lines: Buffer[] = []
  let first = 0
  let bytes = 0
  return {
    lines: () => lines.slice(first),
    push(line: Buffer): void {
      lines.push(line)
      bytes += line.length + 1
      while (bytes > rawBytesMax || lines.length - first > linesMax)
        bytes -= lines[first++]!.length + 1
      if (first < 10_000) return
      lines = lines.slice(first)
      first = 0
    },
  }
}

/** As JSON of ours: what does not parse is left out. */
function toLine(schema: z.ZodType, line: Buffer): string | undefined {
  try {
    const parsed = schema.safeParse(JSON.parse(line.toString('utf8')))
    return parsed.success ? JSON.stringify(parsed.data) : undefined
  } catch {
    return undefined // A line that was cut.
  }
}
