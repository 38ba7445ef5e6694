// Where a viewer stands in a terminal's bytes, so that it comes back to the byte after the last one it has shown.
import type { TerminalHello } from '../../weaver/api.ts'
import { toBytes } from './amount.ts'

export class TerminalPlace {
  #instance: string | undefined
  #offset = 0

  /** The path to (re)connect at. Watching is asked for first: whoever looks in does not take the keyboard. */
  path(sandbox: string): string {
    const query = new URLSearchParams({ mode: 'view' })
    if (this.#instance !== undefined) {
      query.set('instance', this.#instance)
      query.set('offset', String(this.#offset))
    }
    return `/api/sandboxes/${encodeURIComponent(sandbox)}/terminal?${query}`
  }

  /** What a hello means for the screen: to go on, to go on over a gap, or to begin anew. */
  greet({ instance, offset, gap }: TerminalHello): { isAnew: boolean; gapText: string } {
    const isFirst = this.#instance === undefined
    const isOther = this.#instance !== instance
    this.#instance = instance
    this.#offset = offset
    if (isFirst) return { isAnew: true, gapText: toHeadText(offset) }
    if (isOther || gap === null) return { isAnew: true, gapText: 'The agent was started again.' }
    return { isAnew: false, gapText: gap === 0 ? '' : `${toBytes(gap)} were missed here.` }
  }

  take(bytes: number): void {
    this.#offset += bytes
  }

  get offset(): number {
    return this.#offset
  }
}

const toHeadText = (offset: number) =>
  offset === 0 ? '' : `${toBytes(offset)} came before this and are kept no more.`

export type AfterClose = { isFinal: boolean; text: string }

/** What a close code means for the viewer; the codes stand in weaver's api. */
export function toAfterClose(code: number, reason: string): AfterClose {
  if (code === 1000) return { isFinal: true, text: 'The agent has ended.' }
  if (code === 4410) return { isFinal: true, text: toEndedText(reason) }
  if (code === 1003 || code === 1009) return { isFinal: true, text: 'The terminal was closed.' }
  if (code === 1013) return { isFinal: false, text: 'This page was too slow; it goes on now.' }
  return { isFinal: false, text: 'The connection broke. It is tried again.' }
}

const toEndedText = (reason: string) =>
  reason === '' ? 'The sandbox has ended.' : `The sandbox has ended: ${reason}.`

/** How the agent ended, from the last message. */
export function toExitText(exit: number | null, signal: string | null): string {
  if (signal !== null && signal !== '') return `The agent was ended by ${signal}.`
  return exit === null ? 'The agent has ended.' : `The agent has ended with exit ${exit}.`
}

const waitsMs = [250, 500, 1_000, 2_000, 3_000] as const
export const toWaitMs = (tries: number): number => waitsMs[Math.min(tries, waitsMs.length - 1)]!
