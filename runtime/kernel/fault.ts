// An operating error: something outside the program went wrong, and a caller can act on it.
// A programmer's error is an assert, never a Fault.

import type { Problem } from './parse.ts'

type FaultRow = { status: number; text: string }
export type FaultTable<Code extends string> = Readonly<Record<Code, FaultRow>>

export class Fault<Code extends string = string> extends Error {
  override readonly name = 'Fault'
  readonly code: Code
  readonly status: number
  /** Safe to show to the caller. `message` is for the log, and may say more. */
  readonly publicMessage: string
  /** What is wrong with the caller's input, all of it. */
  readonly problems?: readonly Problem[]

  constructor(code: Code, row: FaultRow, more: FaultMore = {}) {
    const { detail, problems, cause } = more
    super(detail ? `${row.text} (${detail})` : row.text, cause === undefined ? {} : { cause })
    this.code = code
    this.status = row.status
    this.publicMessage = more.say ? `${row.text} ${more.say}` : row.text
    if (problems) this.problems = problems
  }
}

/** `detail` goes to the log alone; `say` is added to what the caller reads. */
export type FaultMore = {
  detail?: string
  say?: string
  problems?: readonly Problem[]
  cause?: unknown
}

/** Closes a role's error codes over one table, which is also the map from code to HTTP status. */
export function createFaults<Code extends string>(table: FaultTable<Code>) {
  return (code: Code, more?: FaultMore) => new Fault(code, table[code], more)
}
