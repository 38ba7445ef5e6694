// Lists of loops: filters, pages by key, and how many there are.
import { type FragmentSqlToken, type ListSqlToken, sql } from 'slonik'
import { z } from 'zod'
import { counts, SummaryRow, summaryColumns } from './loops.ts'

/** An empty list lets everything pass. */
export type Filter = {
  org: string
  states: readonly string[]
  endings: readonly string[]
  agents: readonly string[]
  models: readonly string[]
  users: readonly string[]
  /** A part of the name or the repository, or the start of an id. */
  text: string
}

function matches(filter: Filter): ListSqlToken {
  const lists: [FragmentSqlToken, readonly string[]][] = [
    [sql.fragment`l.state`, filter.states],
    [sql.fragment`l.ending`, filter.endings],
    [sql.fragment`l.agent`, filter.agents],
    [sql.fragment`l.model`, filter.models],
    [sql.fragment`l.user_id`, filter.users],
  ]
  const asked = lists.filter(([, values]) => values.length > 0)
  const conditions = asked.map(
    ([column, values]) => sql.fragment`${column} = any(${sql.array(values, 'text')})`,
  )
  const text = filter.text.toLowerCase()
  if (text !== '')
    conditions.push(sql.fragment`(position(${text} in l.sought) > 0 or starts_with(l.id, ${text}))`)
  return sql.join([sql.fragment`l.org = ${filter.org}`, ...conditions], sql.fragment` and `)
}

type Place = { cursor: string | null; limit: number }

/** Newest first, from behind the cursor on. */
export const listLoops = (filter: Filter, { cursor, limit }: Place) =>
  sql.type(SummaryRow)`
    with page as (
      select l.* from spool.loops l where ${matches(filter)} ${behind(cursor, filter.org)}
      order by l.created_at desc, l.id desc limit ${limit})
    select ${summaryColumns} from page l ${counts} order by l.created_at desc, l.id desc`

// Two scalars, not a row: only so it is a condition of the index.
const behind = (cursor: string | null, org: string) =>
  cursor === null
    ? sql.fragment``
    : sql.fragment`and (l.created_at, l.id) < (
        (select created_at from spool.loops where id = ${cursor} and org = ${org}), ${cursor})`

export const countLoops = (filter: Filter) =>
  sql.type(z.object({ total: z.int() }))`
    select count(*)::int as total from spool.loops l where ${matches(filter)}`
