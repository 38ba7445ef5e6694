// What a sub-command is made of, and what it is given. Each stands in a file of its own in commands/.
import type { Readable, Writable } from 'node:stream'
import type { Command } from 'commander'
import type { Client } from './client.ts'
import { failure } from './errors.ts'
import type { Output } from './output.ts'

export type Context = {
  out: Output
  stdin: Readable & { isTTY?: boolean; setRawMode?: (isOn: boolean) => unknown }
  stdout: Writable & { isTTY?: boolean; columns?: number; rows?: number }
  /** What the environment says of the terminal. */
  terminal: Terminal
  /** A client of the running instance, looked up anew each time: it may have started again elsewhere. */
  connect(): Promise<Client>
  /** The state folder that --state names, or the default. */
  stateFolder: string
  /** Ctrl-C and the like; its reason is the exit code. */
  interrupted: AbortSignal
}

/** `TERM`, and whether text is UTF-8 and the font has more than letters. */
export type Terminal = { term: string; isUnicode: boolean; hasColours: boolean }

export type SubCommand<Options extends object = object> = {
  /** `loop run`, `status`. */
  name: string
  /** In commander's notation: `<file>`, `[id]`, `<words...>`. */
  args?: string
  /** One short sentence, for the list of commands. */
  summary: string
  /** More sentences, for the command's own help. */
  details?: string
  /** What follows `treadle `, and what it does. */
  examples: readonly (readonly [command: string, meaning: string])[]
  options?(command: Command): Command
  /** Answers the exit code, where that is not 0. */
  run(context: Context, args: string[], options: Options): Promise<number | undefined>
}

export type PageOptions = { limit: string; cursor?: string }

export const withPage = (command: Command) =>
  command
    .option('--limit <count>', 'how many at most', '20')
    .option('--cursor <cursor>', 'go on where an earlier answer ended')

type Query = Readonly<Record<string, string | number | boolean | undefined>>

export function pathOf(path: string, query: Query = {}): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined)
  const text = new URLSearchParams(pairs.map(([key, value]) => [key, String(value)])).toString()
  return text === '' ? path : `${path}?${text}`
}

/** An id as one segment of a path, whatever the person typed. */
export const segment = (id: string) => encodeURIComponent(id)

export function toCount(option: string, text: string): number {
  const count = Number(text)
  if (Number.isSafeInteger(count) && count > 0) return count
  throw failure('cli/usage', `${option} ${text} is no count. Write a whole number over 0.`)
}
