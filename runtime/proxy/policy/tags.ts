// What a caller says of a call beside the call: tags for reports and routes, and whom it is for. Neither goes upstream.
import { z } from 'zod'
import { Refusal } from '../refusal.ts'

export const tagsHeader = 'x-treadle-tags'
export const endUserHeader = 'x-treadle-end-user'

export type Tags = Readonly<Record<string, string>>
export type Attribution = { tags: Tags; endUser: string | null }

const tagsMax = 8 // Each is a column in somebody's report.
const pattern = /^([a-z0-9][a-z0-9._-]{0,39})=([\x21-\x2b\x2d-\x7e][\x20-\x2b\x2d-\x7e]{0,99})$/
/** Of a question about calls: those that carry one tag. */
export const TagQuestion = z
  .string()
  .regex(pattern, 'Write a tag as name=value.')
  .transform((text): Tags => {
    const [, name, value] = pattern.exec(text)!
    return { [name!]: value! }
  })
const endUserCharsMax = 200
const none: Tags = {}
const isAscii = /^[\0-\x7f]*$/

/** @param named The end user whom the body names, where the headers name none. */
export function readAttribution(raw: readonly string[], named: string | null): Attribution {
  let tags: Tags | undefined
  let endUser: string | undefined
  for (let i = 0; i < raw.length; i += 2) {
    const { length } = raw[i]!
    if (length === tagsHeader.length && raw[i]!.toLowerCase() === tagsHeader) {
      if (tags) throw new Refusal('tags/invalid', 'They stand there twice.')
      tags = readTags(raw[i + 1]!)
    } else if (length === endUserHeader.length && raw[i]!.toLowerCase() === endUserHeader) {
      endUser ??= toText(raw[i + 1]!)
    }
  }
  const who = (endUser || named)?.slice(0, endUserCharsMax)
  return { tags: tags ?? none, endUser: who ?? null }
}

/** Headers are read as latin-1; what people write there is UTF-8. */
const toText = (value: string) =>
  isAscii.test(value) ? value : Buffer.from(value, 'latin1').toString('utf8')

/** `team=search, env=prod`. */
function readTags(text: string): Tags {
  const parts = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
  if (parts.length > tagsMax) throw new Refusal('tags/invalid', `${tagsMax} is the most.`)
  const tags = new Map<string, string>()
  for (const part of parts) {
    const [, name, value] = pattern.exec(part) ?? []
    if (name === undefined) throw new Refusal('tags/invalid', 'Write name=value, with commas.')
    if (tags.has(name)) throw new Refusal('tags/invalid', `${name} stands there twice.`)
    tags.set(name, value!)
  }
  return Object.fromEntries(tags)
}
