// Whether who attaches only watches: what both commands that attach have in common.
import type { Context, SubCommand } from './command.ts'
import { failure } from './errors.ts'

/** `view`: only watch. `write`: type where nobody else does. `take`: type, in whosever place. */
export type AttachMode = 'view' | 'write' | 'take'
export type AttachOptions = { view?: boolean; write?: boolean }

export const withModes: NonNullable<SubCommand['options']> = (command) =>
  command
    .option('--view', 'watch, and type nothing (the default where stdin is no terminal)')
    .option('--write', "type, also where somebody else does: takes the writer's place")

export const attachDetails =
  'Ctrl-] leaves it running. One viewer at a time writes: the first one, or who took the place with --write. A line that breaks is taken up again where it broke. What runs there can drive your terminal.'

export function toMode({ view, write }: AttachOptions, { stdin }: Context): AttachMode {
  if (view && write) throw failure('cli/usage', '--view and --write exclude each other.')
  if (write) return 'take'
  return view || !stdin.isTTY ? 'view' : 'write'
}
