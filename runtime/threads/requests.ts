// What may stand in a query string.
import { z } from 'zod'
import { parse } from '#kernel/parse.ts'
import { fault } from './errors.ts'
import { toStorable } from './text.ts'

const Text = z.string().max(500).transform(toStorable)
const limit = (most: number, usual: number) =>
  z.coerce.number().pipe(z.int().min(1).max(most)).default(usual)
const Offset = z.coerce.number().pipe(z.int().min(0).max(1_000))

export const ThreadsQuery = z.strictObject({
  loop: Text.nullable().default(null),
  /** Of the loop. */
  pass: z.coerce.number().pipe(z.int().min(1).max(1_000_000)).nullable().default(null),
  limit: limit(200, 50),
  /** The last thread's id. */
  cursor: Text.nullable().default(null),
})
export const MessagesQuery = z.strictObject({
  limit: limit(500, 200),
  /** The last message's position. */
  cursor: z.coerce.number().pipe(z.int().min(-1).max(1_000_000)).default(-1),
})
export const SearchQuery = z.strictObject({
  q: Text.refine((text) => text.trim() !== '', 'Write what to search for.'),
  limit: limit(50, 20),
  /** How many hits came before. */
  cursor: Offset.default(0),
})

export function parseQuery<T>(schema: z.ZodType<T>, query: unknown): T {
  const parsed = parse(schema, query)
  if (!parsed.ok) throw fault('threads/invalid', { problems: parsed.problems })
  return parsed.value
}
