import type { NewLoop } from '../../spool/api.ts'
import { type Field, toDurationInput } from './form.ts'

/** A stored loop as it would be typed again: durations in words, defaults as they were taken. */
export function toTyped(spec: NewLoop): Record<string, unknown> {
  const { gates, caps, ...rest } = spec
  return {
    ...rest,
    gates: gates.map(({ command, timeout, ...gate }) => ({
      ...gate,
      command: typeof command === 'string' ? command : command.map(toShellWord).join(' '),
      timeout: toDurationInput(timeout),
    })),
    caps: { ...caps, time: toDurationInput(caps.time), idle: toDurationInput(caps.idle) },
  }
}

/** A program and its arguments as one line of a shell. POSIX, 2.2.2. */
const toShellWord = (word: string) =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`

// The schema speaks of a file; in a browser there is none.
const hints: Readonly<Record<string, string>> = {
  repository: 'A path on this machine, or an https address.',
  prompt: 'What every pass is told. It names the plan, and what to say when all is done.',
}

const needed = ['agent', 'prompt'] // A file's prompt may stand in another file.

export const withHint = (field: Field): Field => ({
  ...field,
  hint: hints[field.path] ?? field.hint,
  isRequired: field.isRequired || needed.includes(field.path),
})
