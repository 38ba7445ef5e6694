import type { Look } from './output.ts'
import { toOneLine } from './printable.ts'

/** Names and values under each other, for one thing. A value of null is left out. */
export function toFields(
  fields: Readonly<Record<string, string | null>>,
  { colours }: Look,
): string[] {
  const shown = Object.entries(fields).filter(([, value]) => value !== null)
  const width = Math.max(...shown.map(([name]) => name.length))
  return shown.map(([name, value]) => `${colours.dim(name.padEnd(width))}  ${toOneLine(value!)}`)
}

/** Text of somebody else below a line of ours: indented, so that it can't pass for one. */
export const indent = (text: string) => text.split('\n').map((line) => `  ${line}`.trimEnd())
