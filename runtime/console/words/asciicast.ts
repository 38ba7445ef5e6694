// A recorded terminal: https://docs.asciinema.org/manual/asciicast/v2
export type Moment = { ms: number; kind: 'output' | 'size'; text: string }
export type Recording = {
  cols: number
  rows: number
  /** When it began, by the clock. */
  startedAt: number | null
  lengthMs: number
  moments: Moment[]
}

const sideMax = 1_000
const pauseMsMax = 2_000 // A model thinks for minutes; nobody wants to watch that.

/** Lines that are none of the format are left out. Undefined where it is no recording at all. */
export function parseRecording(text: string): Recording | undefined {
  const [first = '', ...lines] = text.split('\n')
  const head = parseJson(first)
  if (!isHead(head)) return undefined
  const moments = lines.flatMap(toMoment).sort((one, other) => one.ms - other.ms)
  const beganMs = moments[0]?.ms ?? 0
  return {
    cols: toSide(head.width),
    rows: toSide(head.height),
    startedAt: typeof head.timestamp === 'number' ? head.timestamp * 1_000 + beganMs : null,
    lengthMs: (moments.at(-1)?.ms ?? 0) - beganMs,
    moments: moments.map((moment) => ({ ...moment, ms: moment.ms - beganMs })),
  }
}

type Head = { version: 2; width: number; height: number; timestamp?: unknown }

const isHead = (head: unknown): head is Head =>
  typeof head === 'object' &&
  head !== null &&
  'version' in head &&
  head.version === 2 &&
  'width' in head &&
  typeof head.width === 'number' &&
  'height' in head &&
  typeof head.height === 'number'

const toSide = (side: number) => Math.min(sideMax, Math.max(1, Math.floor(side)))

function toMoment(line: string): Moment[] {
  const event = parseJson(line)
  if (!Array.isArray(event)) return []
  const [seconds, code, text] = event as unknown[]
  if (typeof seconds !== 'number' || typeof text !== 'string') return []
  const ms = Math.max(0, seconds * 1_000)
  if (code === 'o') return [{ ms, kind: 'output', text }]
  return code === 'r' && toSize(text) ? [{ ms, kind: 'size', text }] : []
}

export function toSize(text: string): { cols: number; rows: number } | undefined {
  const found = /^(\d{1,5})x(\d{1,5})$/.exec(text)
  return found ? { cols: toSide(Number(found[1])), rows: toSide(Number(found[2])) } : undefined
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // A line that was cut, or a blank one.
  }
}

/** The same with every long pause shortened. */
export function withoutPauses(recording: Recording): Recording {
  let [beforeMs, saved] = [0, 0]
  const moments = recording.moments.map((moment) => {
    saved += Math.max(0, moment.ms - beforeMs - pauseMsMax)
    beforeMs = moment.ms
    return { ...moment, ms: moment.ms - saved }
  })
  return { ...recording, moments, lengthMs: moments.at(-1)?.ms ?? 0 }
}

/** How many moments are over at that time. */
export function findPlace({ moments }: Recording, ms: number): number {
  let [low, high] = [0, moments.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (moments[middle]!.ms <= ms) low = middle + 1
    else high = middle
  }
  return low
}
