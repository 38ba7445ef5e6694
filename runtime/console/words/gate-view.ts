// Gates of a pass beside those of the pass before: what turned red or green is what a reader looks for.
import type { GateResult } from '../../spool/api.ts'
import { type OutputLine, toText } from './ansi.ts'

export type Turn = 'newly red' | 'newly green' | 'still red' | 'still green' | 'red' | 'green'
export type GateView = GateResult & { isGreen: boolean; turn: Turn }

export const isGreen = ({ exit, timedOut }: GateResult): boolean => exit === 0 && !timedOut

export const toGateViews = (
  gates: readonly GateResult[],
  before: readonly GateResult[],
): GateView[] =>
  gates.map((gate) => ({
    ...gate,
    isGreen: isGreen(gate),
    turn: toTurn(
      gate,
      before.find(({ name }) => name === gate.name),
    ),
  }))

function toTurn(gate: GateResult, earlier: GateResult | undefined): Turn {
  const now = isGreen(gate) ? 'green' : 'red'
  if (!earlier) return now
  return isGreen(earlier) === isGreen(gate) ? `still ${now}` : `newly ${now}`
}

/** How a gate ended, in words. */
export function toGateEnd({ exit, timedOut }: GateResult): string {
  if (timedOut) return 'ran out of time'
  if (exit === 0) return 'green'
  if (exit === 126) return 'red, exit 126: not executable'
  if (exit === 127) return 'red, exit 127: no such command'
  return exit > 128 ? `red, ended by signal ${exit - 128}` : `red, exit ${exit}`
}

// What test runners, compilers and shells print at the first failure, surest first.
const failures: readonly RegExp[] = [
  /^\s*(not ok\b|✖|✗|✘|❌|×\s|FAIL\b|--- FAIL|FAILED\b|E {3})/,
  /\b(AssertionError|panicked at|Traceback|Unhandled|Segmentation fault|error\[\w+\]|error TS\d+)/,
  /(^|[\s(:])(\w*Error|error|fatal|ERROR|FATAL|Exception)\b\s*:/,
  /\b(failed|failure|cannot|could not|not found|denied|expected)\b/i,
]
const harmless = /\b(0|no) (errors?|failed|failures?|failing)\b|\b(fail|failed|errors?):? 0\b/i

/** Where the first failure stands; the last line where none is known; -1 where nothing was printed. */
export function findFailingLine(lines: readonly OutputLine[]): number {
  const texts = lines.map(toText)
  for (const failure of failures) {
    const at = texts.findIndex((text) => failure.test(text) && !harmless.test(text))
    if (at >= 0) return at
  }
  return texts.findLastIndex((text) => text.trim() !== '')
}
