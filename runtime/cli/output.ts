// What a command says. Whatever came from elsewhere passes through here, and is made harmless here.
import type { Writable } from 'node:stream'
import type { Page } from '../spool/api.ts'
import type { Colours } from './colours.ts'
import type { Failure } from './errors.ts'
import { toJsonText, toPrintable, toPrintableDeep } from './printable.ts'
import { type Column, toTable } from './table.ts'

export type Look = { colours: Colours; widthMax: number }
export type Output = {
  readonly isJson: boolean
  readonly look: Look
  /** One answer: a JSON document, or lines for a person. `render` gets the value with harmless text. */
  show<T>(value: T, render: (value: T, look: Look) => readonly string[]): void
  /** One of many in a stream: a line of JSON each, or lines for a person. */
  event<T>(value: T, render: (value: T, look: Look) => readonly string[]): void
  page<T>(page: Page<T>, columns: readonly Column<T>[], empty: string): void
  /** Says how to get the rest of a list, where there is more. */
  more(page: { cursor: string | null }): void
  /** For the person only: goes to stderr, and nowhere with --json. */
  note(text: string): void
  fail(failure: Failure): void
}

type Streams = { stdout: Writable; stderr: Writable }

export function createOutput({ stdout, stderr }: Streams, isJson: boolean, look: Look): Output {
  const print = (lines: readonly string[]) => {
    for (const line of lines) stdout.write(`${line}\n`)
  }
  const output: Output = {
    isJson,
    look,
    show: (value, render) =>
      print(isJson ? [toJsonText(value, 2)] : render(toPrintableDeep(value), look)),
    event: (value, render) =>
      print(isJson ? [toJsonText(value)] : render(toPrintableDeep(value), look)),
    page(page, columns, empty) {
      output.show(page, ({ items }) =>
        items.length === 0 ? [empty] : toTable(items, columns, look),
      )
      output.more(page)
    },
    more({ cursor }) {
      if (cursor !== null) output.note(`There is more: --cursor ${toPrintable(cursor)}`)
    },
    note(text) {
      if (!isJson) stderr.write(`${look.colours.dim(text)}\n`)
    },
    fail(failure) {
      stderr.write(
        `${isJson ? toJsonError(failure) : toErrorText(toPrintableFailure(failure), look)}\n`,
      )
    },
  }
  return output
}

const toJsonError = ({ code, message, problems }: Failure) =>
  toJsonText({ error: { code, message, ...(problems.length > 0 && { problems }) } })

const toPrintableFailure = ({ message, problems }: Failure) =>
  toPrintableDeep({ message, problems })

type Said = Pick<Failure, 'message' | 'problems'>

function toErrorText({ message, problems }: Said, { colours }: Look): string {
  const lines = problems.map(({ path, value, message: fix }) => {
    const what = value === undefined || value === '' ? path : `${path} = ${value}`
    return `  ${colours.bold(what)}: ${fix}`
  })
  return [`${colours.red('treadle:')} ${message}`, ...lines].join('\n')
}
