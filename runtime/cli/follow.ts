// A loop's events from the first to the last, however often the connection breaks: each once, in order.
import { setTimeout as sleep } from 'node:timers/promises'
import type { LoopEvent } from '../spool/api.ts'
import type { Client } from './client.ts'
import { pathOf, segment } from './command.ts'
import { Failure, failure } from './errors.ts'

export type Follow = {
  loop: string
  connect(): Promise<Client>
  interrupted: AbortSignal
  /** Told once for each break, before the first try to go on. */
  onBreak(why: string): void
}

// | state     | enters when                            | leaves when                                      |
// | --------- | -------------------------------------- | ------------------------------------------------ |
// | reading   | the server answers                     | the stream ends, breaks, or is silent too long   |
// | waiting   | reading was left before `ended` came   | its pause is over: reading, or lost              |
// | ended     | `ended` came                           | never                                            |
// | lost      | no answer for `lostAfterMs` of trying  | never                                            |

const lostAfterMs = 10 * 60_000 // Longer than a restart of the machine.
const pauseMsMin = 200
const pauseMsMax = 5_000
const silentMsMax = 60_000 // The server sends an empty line each 10 s when it has nothing to say.
const lineCharsMax = 16 * 1024 * 1024 // A pass with 50 gates of 64 KiB of output each, escaped, and some.

export async function* followLoop(follow: Follow): AsyncGenerator<LoopEvent> {
  let after = 0
  let pauseMs = pauseMsMin
  let brokenAt: number | undefined
  for (;;) {
    try {
      const onOpen = () => {
        brokenAt = undefined
      }
      for await (const event of readEvents(follow, after, onOpen)) {
        pauseMs = pauseMsMin
        if (event.seq <= after) continue // Said before the break.
        after = event.seq
        yield event
        if (event.event === 'ended') return
      }
      throw failure('cli/lost', 'The stream ended before the loop did.')
    } catch (error) {
      if (follow.interrupted.aborted || !isPassing(error)) throw error
      const now = performance.now()
      if (brokenAt === undefined) follow.onBreak((error as Error).message)
      brokenAt ??= now
      if (now - brokenAt > lostAfterMs) throw error
    }
    await sleep(pauseMs, undefined, { signal: follow.interrupted })
    pauseMs = Math.min(pauseMs * 2, pauseMsMax)
  }
}

/** Refusals of the server stay; a server that is away, or a socket that breaks in mid-stream, may come back. */
const isPassing = (error: unknown) => !(error instanceof Failure) || error.isPassing

async function* readEvents(
  { loop, connect }: Follow,
  after: number,
  onOpen: () => void,
): AsyncGenerator<LoopEvent> {
  await using client = await connect()
  const path = pathOf(`/api/loops/${segment(loop)}/events`, { follow: 1, after })
  const { body } = await client.call(path, { silentMsMax })
  onOpen()
  body.setEncoding('utf8')
  let rest = ''
  for await (const part of body) {
    const lines = (rest + part).split('\n')
    rest = lines.pop()!
    if (rest.length > lineCharsMax) throw failure('cli/answer', 'An event is too long to be one.')
    for (const line of lines) if (line.trim() !== '') yield toEvent(line)
  }
}

function toEvent(line: string): LoopEvent {
  try {
    return JSON.parse(line) as LoopEvent
  } catch (cause) {
    throw failure('cli/answer', 'An event is no JSON. Does Treadle answer at this address?', {
      cause,
    })
  }
}
