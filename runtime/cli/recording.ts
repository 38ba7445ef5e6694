// Asciicast v2 as a terminal shows it: text at its time. https://docs.asciinema.org/manual/asciicast/v2
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { failure } from './errors.ts'

const Header = z.object({ version: z.literal(2), width: z.number(), height: z.number() })
const secondsMax = 1e9 // Thirty years: any more is no time.
const Moment = z.tuple([z.number().min(0).max(secondsMax), z.string(), z.string()])
type Moment = { atMs: number; kind: string; text: string }
export type Recording = { width: number; height: number; moments: Moment[] }

/** Throws a Failure where it is none. */
export function parseRecording(text: string): Recording {
  const [head = '', ...lines] = text.split('\n')
  const header = Header.safeParse(toValue(head))
  const moments = lines.filter((line) => line !== '').map((line) => Moment.safeParse(toValue(line)))
  if (!header.success || moments.some(({ success }) => !success)) {
    throw failure('cli/answer', 'This is no recording of a terminal (asciicast v2).')
  }
  const { width, height } = header.data
  const shown = moments.map(({ data }) => {
    const [seconds, kind, shownText] = data!
    return { atMs: seconds * 1_000, kind, text: shownText }
  })
  return { width, height, moments: shown }
}

function toValue(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined // The schema refuses it.
  }
}

export type Pace = { speed: number; idleMsMax: number }

/** How long a player waits before each moment of output: pauses are cut to `idleMsMax`, then all goes faster. */
export function planPauses({ moments }: Recording, { speed, idleMsMax }: Pace) {
  let beforeMs: number | undefined
  return moments
    .filter(({ kind }) => kind === 'o')
    .map(({ atMs, text }) => {
      const pauseMs = Math.max(0, atMs - (beforeMs ?? atMs))
      beforeMs = atMs
      return { pauseMs: Math.min(pauseMs, idleMsMax) / speed, text }
    })
}

/** Shows it to its end, or until `left`. Late where the screen is slow, and never ahead. */
export async function play(
  recording: Recording,
  pace: Pace,
  show: (text: string) => Promise<void>,
  left: AbortSignal,
): Promise<void> {
  let dueMs = performance.now()
  for (const { pauseMs, text } of planPauses(recording, pace)) {
    dueMs += pauseMs
    const waitMs = dueMs - performance.now()
    if (waitMs > 1) await sleep(waitMs, undefined, { signal: left }).catch(() => {}) // Seen below.
    if (left.aborted) return
    await show(text)
  }
}
