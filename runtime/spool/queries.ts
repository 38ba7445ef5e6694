// What stands behind the question mark of this role's routes.
import { z } from 'zod'
import { type Parsed, parseStored } from '#kernel/parse.ts'
import { type Ending, endings } from './api.ts'
import { fault } from './errors.ts'

const valuesMax = 50

/** `?state=queued,running&state=paused`: as often as wanted, and with commas. */
const listOf = <T extends z.ZodType>(value: T) =>
  z.preprocess(toWords, z.array(value).max(valuesMax)).default([])

const toWords = (given: unknown) =>
  given === undefined
    ? undefined
    : [given]
        .flat()
        .flatMap((text) => String(text).split(','))
        .filter((text) => text !== '')

const Name = z.string().max(200)
const cursor = z.string().max(100).optional()
const count = (least: number) => z.coerce.number().int().min(least)
const passMax = 1_000_000 // Past any pass, and within the table's numbers.

export const ListQuery = z.strictObject({
  state: listOf(z.enum(['queued', 'running', 'paused', 'ended'])),
  ending: listOf(z.enum(Object.keys(endings) as [Ending, ...Ending[]])),
  agent: listOf(Name),
  model: listOf(Name),
  user: listOf(Name),
  q: z.string().trim().max(200).default(''),
  limit: count(1).max(200).default(50),
  cursor,
})
export const EventsQuery = z.strictObject({
  after: count(0).default(0),
  follow: z.enum(['0', '1']).default('0'),
})
const passesMax = 1_000 // As many as a loop may have.
export const PassesQuery = z.strictObject({
  after: count(0).max(passMax).default(0),
  limit: count(1).max(passesMax).default(passesMax),
})
export const OutputQuery = z.strictObject({ pass: count(1).max(passMax).optional() })

/** The value, or every problem of it. */
export function valid<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw fault('loop/invalid', { problems: parsed.problems })
  return parsed.value
}

export const read = <T>(schema: z.ZodType<T>, query: unknown): T =>
  valid(parseStored(schema, query))
