// A loop's events as lines for a person. Pure; every text in it has passed toPrintable before.
import { toDurationText, toUsdText } from '#kernel/units.ts'
import type { GateResult, LoopEvent, Pass, Usage } from '../spool/api.ts'
import type { Colours } from './colours.ts'
import { toOneLine } from './printable.ts'

const rehearsalMark = '(rehearsal)' // No word of it came from a vendor's model.

/** A line a pass, a pause and the end; phases have none. */
export function toEventLines(event: LoopEvent, isRehearsal: boolean, colours: Colours): string[] {
  const mark = isRehearsal ? [colours.magenta(rehearsalMark)] : []
  switch (event.event) {
    case 'started':
      return [
        words(colours.bold(event.name), `starts at ${shortSha(event.base)}`, event.loop, ...mark),
      ]
    case 'phase':
      return []
    case 'pass':
      return [words(...passWords(event.pass, colours), ...mark)]
    case 'paused': {
      const until = event.until === null ? '' : `until ${toTimeText(event.until)}: `
      return [words(colours.yellow('paused'), until + event.reason)]
    }
    case 'resumed':
      return [words(colours.green('resumed'), event.reason)]
    case 'ended':
      return endLines(event, mark, colours)
  }
}

const words = (...parts: string[]) => toOneLine(parts.filter((part) => part !== '').join('  '))

function passWords(pass: Pass, colours: Colours): string[] {
  return [
    `pass ${pass.pass}`,
    shortSha(pass.sha),
    pass.filesChanged === 1 ? '1 file' : `${pass.filesChanged} files`,
    pass.gates.map((gate) => toGateText(gate, colours)).join(' '),
    toTokensText(pass.usage),
    toUsdText(pass.costNanoUsd),
    colours.dim(toNextText(pass)),
  ]
}

/** Why there is another pass; of an end the next line tells. */
function toNextText({ next, phase, promised, reason }: Pass): string {
  if (next !== 'again' || reason === null) return next ?? phase
  return promised ? `promise refused: ${reason}` : reason
}

export function toGateText(gate: GateResult, colours: Colours): string {
  const isGreen = gate.exit === 0 && !gate.timedOut
  return (isGreen ? colours.green : colours.red)(toGateMark(gate))
}

/** `test ✗ (time)`: a gate that ran out of time is red, whatever it exited with. */
export const toGateMark = ({ name, exit, timedOut }: GateResult) =>
  timedOut ? `${name} ✗ (time)` : `${name} ${exit === 0 ? '✓' : '✗'}`

type Ended = Extract<LoopEvent, { event: 'ended' }>

function endLines(event: Ended, mark: string[], colours: Colours): string[] {
  const paint = event.exitCode === 0 ? colours.green : colours.red
  const { branch, bundle, repository } = event
  const result = branch ? [words(`result: branch ${branch} in ${repository}`)] : []
  if (bundle) result.push(words(`result: bundle ${bundle}`))
  return [words(paint(event.ending), event.reason, ...mark), ...result]
}

export const shortSha = (sha: string | null) => sha?.slice(0, 8) ?? '-'

/** `12.3k tokens`; the cached ones are within. */
export function toTokensText({ inputTokens, outputTokens }: Usage): string {
  return `${toCountText(inputTokens + outputTokens)} tokens`
}

export function toCountText(count: number): string {
  if (count < 1_000) return String(count)
  return count < 1_000_000 ? `${(count / 1_000).toFixed(1)}k` : `${(count / 1_000_000).toFixed(1)}M`
}

/** `2026-01-31 08:00:00Z`: the same for everyone who compares. */
export const toTimeText = (iso: string | null) =>
  iso === null ? '-' : iso.replace('T', ' ').replace(/\.\d+/, '')

export function toSpanText(from: string | null, to: string | null): string {
  return from === null || to === null ? '-' : toDurationText(Date.parse(to) - Date.parse(from))
}
