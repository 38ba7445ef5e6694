// What there is to complete, as commands.json holds it: the command's own description of itself, ready to read.
// Loading the commands instead would take longer than a person waits for Tab.

/** What only the running instance knows. */
export const liveKinds = [
  'loops',
  'loops that run',
  'loops that ended',
  'sandboxes',
  'threads',
  'providers',
  'models',
  'budgets',
  'routes',
  'keys',
] as const
export type LiveKind = (typeof liveKinds)[number]

/** What may stand in one place: one of these words, a live value, a path, or anything. */
export type Slot = readonly string[] | LiveKind | 'files' | 'folders' | null

export type OptionShape = {
  /** `-d`, `--detach`. */
  names: readonly string[]
  about: string
  /** Absent: it takes no value. */
  value?: Slot
}

export type CommandShape = {
  /** `loop run`, `status`. */
  name: string
  about: string
  args: readonly Slot[]
  /** The last of `args` may be repeated. */
  isVariadic: boolean
  /** From its first argument on, all that follows belongs to another program. */
  isPassingOn: boolean
  options: readonly OptionShape[]
}

export type Tree = {
  /** Options that may stand before a sub-command. */
  options: readonly OptionShape[]
  groups: Readonly<Record<string, string>>
  commands: readonly CommandShape[]
}
