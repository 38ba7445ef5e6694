import type { Context } from './command.ts'
import { toPrintable } from './printable.ts'

/** What a program in a sandbox printed: harmless for the terminal that shows it, unless asked for as it came. */
export function printOutput(bytes: Buffer, isRaw: boolean, { stdout, out }: Context): void {
  if (out.isJson) out.show({ output: bytes.toString() }, () => [])
  else if (isRaw) stdout.write(bytes)
  else {
    const text = toPrintable(bytes.toString())
    stdout.write(text.endsWith('\n') || text === '' ? text : `${text}\n`)
  }
}
