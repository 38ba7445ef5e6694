import type { Loop } from '../spool/api.ts'
import type { Context } from './command.ts'
import { toEventLines } from './event-text.ts'
import { followLoop } from './follow.ts'
import { toPrintable } from './printable.ts'

/** Shows a loop's events until its end, and answers the ending's exit code. Ctrl-C leaves the loop running. */
export async function watchLoop({ id, isRehearsal }: Loop, context: Context): Promise<number> {
  const { out, connect, interrupted } = context
  const onBreak = (why: string) => out.note(`${toPrintable(why)} Trying again…`)
  try {
    for await (const event of followLoop({ loop: id, connect, interrupted, onBreak })) {
      out.event(event, (safe, { colours }) => toEventLines(safe, isRehearsal, colours))
      if (event.event === 'ended') return event.exitCode
    }
    throw new Error('A loop that is followed has an end.')
  } catch (error) {
    if (!interrupted.aborted) throw error
    const hints = [
      `watch it: treadle loop show ${id} --follow`,
      `end it: treadle loop cancel ${id}`,
    ]
    out.note(`The loop goes on without you. ${hints.map((hint) => `\n  ${hint}`).join('')}`)
    return Number(interrupted.reason)
  }
}
