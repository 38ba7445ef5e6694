import type { z } from 'zod'

/** One thing wrong with an input: where, what stands there, and what would be right. */
export type Problem = { path: string; value?: string; message: string }
export type Parsed<T> = { ok: true; value: T } | { ok: false; problems: Problem[] }

/** Untrusted input to a typed value, or every problem at once. Pure. */
export function parse<T>(schema: z.ZodType<T>, input: unknown): Parsed<T> {
  const result = schema.safeParse(input)
  if (result.success) return { ok: true, value: result.data }
  return { ok: false, problems: result.error.issues.flatMap((issue) => toProblems(issue, input)) }
}

function toProblems(issue: z.core.$ZodIssue, input: unknown): Problem[] {
  if (issue.code !== 'unrecognized_keys') {
    return [{ path: toPath(issue.path), ...valueAt(input, issue.path), message: issue.message }]
  }
  const message = 'Unknown key. Remove it, or correct its spelling.'
  return issue.keys.map((key) => ({ path: toPath([...issue.path, key]), message }))
}

const toPath = (path: readonly PropertyKey[]) => path.map(String).join('.') || '(root)'

const valueCharsMax = 80 // Enough to recognise one's own input in a terminal line.

function valueAt(input: unknown, path: readonly PropertyKey[]): { value?: string } {
  let at: unknown = input
  for (const key of path) at = at === null || at === undefined ? undefined : (at as never)[key]
  if (at === undefined) return {}
  return { value: JSON.stringify(at)?.slice(0, valueCharsMax) ?? '' }
}

/** A line a problem, as a terminal shows them. */
export const toText = (problems: readonly Problem[]) =>
  problems
    .map(
      ({ path, value, message }) =>
        `${path}${value === undefined ? '' : ` = ${value}`}: ${message}`,
    )
    .join('\n')
