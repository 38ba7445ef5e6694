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

/** The same for what goes to PostgreSQL, whose text takes neither NUL nor half a surrogate pair. */
export function parseStored<T>(schema: z.ZodType<T>, input: unknown): Parsed<T> {
  const parsed = parse(schema, input)
  if (!parsed.ok) return parsed
  const problems = findUnstorable(parsed.value, []).map((path) => ({
    path: toPath(path),
    message: 'Leave out NUL characters and halves of surrogate pairs.',
  }))
  return problems.length > 0 ? { ok: false, problems } : parsed
}

type Path = readonly PropertyKey[]

/** As deep as a schema lets a value be. */
function findUnstorable(value: unknown, path: Path): Path[] {
  if (typeof value === 'string') {
    return value.includes('\0') || !value.isWellFormed() ? [path] : []
  }
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => findUnstorable(inner, [...path, key]))
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
