// Says what is wrong with an answer, by the schema that the server judges loop files by. loop-file.json is that schema,
// as judge.test.ts took it from there; so a file can be made where no instance runs.
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import type { Problem } from '#kernel/parse.ts'

/** A part of a JSON schema; `errorMessage` says what to write instead. */
export type Shape = {
  description?: string
  errorMessage?: string
  enum?: readonly string[]
  anyOf?: readonly Shape[]
  properties?: Readonly<Record<string, Shape>>
  items?: Shape
  [key: string]: unknown
}

export const loopFileShape = () =>
  JSON.parse(readFileSync(new URL('./loop-file.json', import.meta.url), 'utf8')) as Shape

/** The shape at `caps.time`, `gates.0.name`. */
export function shapeAt(root: Shape, path: readonly PropertyKey[]): Shape | undefined {
  return path.reduce<Shape | undefined>(
    (shape, key) => (typeof key === 'number' ? shape?.items : shape?.properties?.[String(key)]),
    root,
  )
}

/** What the schema takes as one of few words. */
export const choicesOf = (shape: Shape | undefined): readonly string[] =>
  shape?.enum ?? shape?.anyOf?.flatMap((each) => each.enum ?? []) ?? []

export function findProblems(shape: Shape, value: unknown): Problem[] {
  const { error } = z
    .fromJSONSchema(shape as Parameters<typeof z.fromJSONSchema>[0])
    .safeParse(value)
  return (error?.issues ?? []).map((issue) => {
    const at = shapeAt(shape, issue.path)
    return { path: issue.path.join('.') || '(root)', message: toMessage(issue, at) }
  })
}

function toMessage(issue: z.core.$ZodIssue, shape: Shape | undefined): string {
  const choices = choicesOf(shape)
  if (issue.code === 'invalid_union' && choices.length > 0)
    return `Write one of ${choices.join(', ')}.`
  if (issue.code === 'invalid_type' && shape?.['type'] === 'integer') return 'Write a whole number.'
  if (issue.code === 'invalid_type' && shape?.['type'] === 'number') return 'Write a number.'
  const isShapeless = issue.code === 'invalid_format' || issue.code === 'too_small'
  return (isShapeless && shape?.errorMessage) || `${issue.message}.`
}
