import { sql } from 'slonik'
import { z } from 'zod'

const Hit = z.object({
  thread: z.string(),
  position: z.number(),
  role: z.enum(['system', 'user', 'assistant', 'tool']),
  excerpt: z.string(),
  rank: z.number(),
})

const excerptOptions =
  'StartSel=\u0002, StopSel=\u0003, MaxFragments=2, MinWords=6, MaxWords=20, FragmentDelimiter=" … "'
const excerptCharsMax = 65_536 // ts_headline reads all it is given; what is found further on has no marks.

// The parser would take `kernel/units.ts` for one word. With a U+0001 behind each sign that is
// neither letter nor space it finds the parts, as `toWords` made them; U+0001 is taken out of the
// excerpt again.
const separator = '\u0001'
const signs = '([^[:alnum:][:space:]]|[\u3040-\u30ff\u3400-\u9fff])'

/** Whose threads: all of an organisation's, or one user's of it. */
export type Scope = { org: string; user: string | null }
export const inScope = ({ org, user }: Scope) =>
  user === null ? sql.fragment`t.org = ${org}` : sql.fragment`t.org = ${org} and t."user" = ${user}`

export type SearchOptions = Scope & { query: string; limit: number; offset: number }

/** Best first. `query` is for websearch_to_tsquery, which takes any text without an error. */
export const searchMessages = ({ query, limit, offset, ...scope }: SearchOptions) =>
  sql.type(Hit)`
    with wanted as (
      select websearch_to_tsquery('english', ${query}) || websearch_to_tsquery('simple', ${query})
        as query
    ), hits as (
      select m.thread, m.position, m.role, m.text, ts_rank(m.words, query, 1) as rank
      from wanted, threads.messages m join threads.threads t on t.id = m.thread
      where m.words @@ query and ${inScope(scope)}
      order by rank desc, t.created_at desc, m.thread, m.position
      limit ${limit} offset ${offset}
    )
    select thread, position, role, rank, replace(ts_headline('english',
        regexp_replace(translate(left(text, ${excerptCharsMax}), ${'\u0001\u0002\u0003'}, ''),
          ${signs}, ${`\\1${separator}`}, 'g'),
        query, ${excerptOptions}), ${separator}, '') as excerpt
    from hits, wanted
    order by rank desc, thread, position`
