// What the shell's script reads: a line that says what follows, then `value TAB description` a line.
// **Security.** A shell puts a value into the command line as it is, where Enter runs it. So a value that a server
// made up is offered only where no shell sees more in it than a word. Descriptions can't drive the terminal.
import { toOneLine, toPrintable } from '../printable.ts'
import type { Named } from './live.ts'
import type { Candidate, Completion } from './plan.ts'

const harmless = /^[\w@%+][\w@%+:,./-]*$/
const aboutCharsMax = 60

/** @param settled What the shell takes as typed already, and must not get again. */
export function toAnswer(completion: Completion, live: readonly Named[], settled: string): string {
  const { before, typed, candidates, paths } = completion
  if (paths) return `:${paths}\n`
  const byValue = live.filter(({ value }) => value.startsWith(typed))
  const byName = live.filter(({ name }) => name?.startsWith(typed))
  const offered = byValue.length > 0 ? byValue : byName
  const kept = offered.filter(({ value }) => harmless.test(value))
  const lines = [...candidates, ...kept].map((candidate) => toLine(candidate, before, settled))
  return [byValue.length === 0 && kept.length > 0 ? ':other' : ':values', ...lines, ''].join('\n')
}

function toLine({ value, about }: Candidate, before: string, settled: string): string {
  const word = before + value
  const rest = word.startsWith(settled) ? word.slice(settled.length) : word
  const said = toOneLine(toPrintable(about)).replaceAll('\t', ' ')
  return said === '' ? rest : `${rest}\t${said.slice(0, aboutCharsMax)}`
}
