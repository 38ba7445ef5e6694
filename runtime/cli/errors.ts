// Why a command failed, and with which exit code: 2 = how it was called, 1 = what it met.
import type { Problem } from '#kernel/parse.ts'

const codes = {
  'cli/usage': { exit: 2, isPassing: false },
  /** A file named on the command line can't be read. */
  'cli/file': { exit: 2, isPassing: false },
  'cli/loop-file': { exit: 2, isPassing: false },
  /** The terminal can't do what the command needs. */
  'cli/terminal': { exit: 2, isPassing: false },
  /** The loop has no agent at work to attach to. */
  'cli/no-agent': { exit: 1, isPassing: false },
  /** No pass of the loop was recorded. */
  'cli/no-recording': { exit: 1, isPassing: false },
  'cli/no-instance': { exit: 1, isPassing: true },
  'cli/unreachable': { exit: 1, isPassing: true },
  /** A stream broke off before its end. */
  'cli/lost': { exit: 1, isPassing: true },
  /** What answered speaks another language than ours. */
  'cli/answer': { exit: 1, isPassing: false },
} as const
export type FailureCode = keyof typeof codes

export class Failure extends Error {
  override readonly name = 'Failure'
  /** One of ours, or the server's. */
  readonly code: string
  readonly exitCode: number
  readonly problems: readonly Problem[]
  /** True where the same may go well a little later. */
  readonly isPassing: boolean

  constructor(code: string, exitCode: number, message: string, more: FailureMore = {}) {
    super(message, more.cause === undefined ? {} : { cause: more.cause })
    this.code = code
    this.exitCode = exitCode
    this.problems = more.problems ?? []
    this.isPassing = more.isPassing ?? false
  }

  /** The same with its problems told in other words. */
  with(problems: readonly Problem[]): Failure {
    return new Failure(this.code, this.exitCode, this.message, { problems, cause: this })
  }
}

type FailureMore = { problems?: readonly Problem[]; isPassing?: boolean; cause?: unknown }

export const failure = (code: FailureCode, message: string, more?: FailureMore) =>
  new Failure(code, codes[code].exit, message, { isPassing: codes[code].isPassing, ...more })

/** What the server refused: its own code and words. Wrong input is a usage error, all else a failure. */
export function toFailure(
  status: number,
  answer: { code?: unknown; message?: unknown; problems?: unknown },
) {
  const code = typeof answer.code === 'string' ? answer.code : `http/${status}`
  const said = typeof answer.message === 'string' ? answer.message : `The answer was ${status}.`
  const problems = Array.isArray(answer.problems) ? (answer.problems as Problem[]) : []
  const isInput = status === 400 || status === 422
  const hint = status === 401 ? ' Is the key right, and still good?' : ''
  const isPassing = status >= 500 || status === 429
  return new Failure(code, isInput ? 2 : 1, said + hint, { problems, isPassing })
}
