// A sandbox's terminal on this one, however often the line breaks: each byte once, or the person is told how many are
// missing. It ends with the agent, with the sandbox, or when the person leaves.
// **Security.** What runs there drives this terminal, as with any terminal one attaches to; it is reset afterwards.
import { setTimeout as sleep } from 'node:timers/promises'
import type { TerminalHello } from '../weaver/api.ts'
import type { AttachMode } from './attach-mode.ts'
import type { Context } from './command.ts'
import { Failure, failure } from './errors.ts'
import { takeTerminal } from './hands.ts'
import { toPrintable } from './printable.ts'
import { openLine } from './terminal-line.ts'
import { createViewer, type Viewer } from './viewer.ts'

// | state   | enters when                                  | leaves when                                             |
// | ------- | -------------------------------------------- | ------------------------------------------------------- |
// | opening | it starts; a pause is over                   | it opens: showing; no answer: waiting; refused: over    |
// | showing | the line is open                             | the agent or the sandbox ends: over; it breaks: waiting |
// | waiting | the line broke; the server is away           | its pause is over: opening                              |
// | over    | an end, a refusal, Ctrl-], 10 min of waiting | never                                                   |

const lostAfterMs = 10 * 60_000 // Longer than a restart of the machine.
const pauseMsMin = 200
const pauseMsMax = 5_000

/** Answers once it is over, with what to tell the person. */
export async function attachTerminal(
  sandbox: string,
  mode: AttachMode,
  context: Context,
): Promise<string> {
  const { out, interrupted } = context
  const detached = new AbortController()
  const left = AbortSignal.any([detached.signal, interrupted])
  using hands = new DisposableStack()
  let isGreeted = false
  let brokenAt: number | undefined
  let pauseMs = pauseMsMin
  const viewer = createViewer(context, mode, {
    onGreeting(hello) {
      if (!isGreeted) hands.use(takeTerminal(context, viewer))
      else out.note(toReturn(hello))
      isGreeted = true
      brokenAt = undefined
      pauseMs = pauseMsMin
    },
    onLeave: () => detached.abort(),
  })
  for (;;) {
    try {
      return await showOnce({ sandbox, mode, context, viewer, left })
    } catch (error) {
      if (left.aborted) return 'Detached. The agent goes on.'
      if (!isGreeted && mode === 'write' && isDenied(error)) {
        out.note('You may watch this terminal, and not type into it.')
        return await attachTerminal(sandbox, 'view', context)
      }
      if (!isGreeted || !isPassing(error)) throw error
      if (brokenAt === undefined) out.note(`${(error as Error).message} Trying again…`)
      brokenAt ??= performance.now()
      if (performance.now() - brokenAt > lostAfterMs) throw error
    }
    await sleep(pauseMs, undefined, { signal: left }).catch(() => {}) // The next round sees who left.
    pauseMs = Math.min(pauseMs * 2, pauseMsMax)
  }
}

type Showing = {
  sandbox: string
  mode: AttachMode
  context: Context
  viewer: Viewer
  left: AbortSignal
}

/** From the opening of one line to its end. Throws where it breaks, or is refused. */
async function showOnce({ sandbox, mode, context, viewer, left }: Showing): Promise<string> {
  left.throwIfAborted()
  const { access } = await context.connect()
  const wanted = { sandbox, mode: mode === 'view' ? 'view' : 'write', spot: viewer.spot() } as const
  try {
    using line = await openLine(access, wanted, viewer)
    return toEnding(await Promise.race([line.closed, rejection(left)]), viewer)
  } catch (error) {
    // It was there, and ended while the line was broken.
    if (viewer.spot() && error instanceof Failure && error.code === 'weaver/ended') {
      return toPrintable(error.message)
    }
    throw error
  } finally {
    viewer.use(undefined)
  }
}

const rejection = (signal: AbortSignal): Promise<never> =>
  new Promise((_, failed) => {
    const onAbort = () => failed(signal.reason)
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
  })

// As weaver's api.ts has them.
const closes = {
  agentEnded: 1000,
  notUnderstood: 1003,
  tooLarge: 1009,
  sandboxEnded: 4410,
} as const

function toEnding({ code, reason }: { code: number; reason: string }, viewer: Viewer): string {
  if (code === closes.agentEnded) return toEndText(viewer.ended())
  if (code === closes.sandboxEnded) return `The sandbox has ended: ${toPrintable(reason)}.`
  const why = `The terminal broke off (${code}).`
  const isFinal = code === closes.notUnderstood || code === closes.tooLarge
  throw isFinal ? failure('cli/answer', why) : failure('cli/lost', why)
}

function toEndText(end: { exit: number | null; signal: string | null } | undefined): string {
  if (end?.signal) return `The agent has ended by ${toPrintable(end.signal)}.`
  return end?.exit ? `The agent has ended. It exited with ${end.exit}.` : 'The agent has ended.'
}

function toReturn({ gap }: TerminalHello): string {
  if (gap === null) return 'Back. This is another terminal: the end of it is shown.'
  return gap === 0 ? 'Back. Nothing is missing.' : `Back. ${gap} bytes of the output are missing.`
}

const isDenied = (error: unknown) => error instanceof Failure && error.code === 'access/denied'
const isPassing = (error: unknown) => !(error instanceof Failure) || error.isPassing
