import type { DatabasePool } from 'slonik'
import type { Page } from '../spool/api.ts'
import type { SearchHit, Thread, ThreadWithMessages } from './api.ts'
import { listMessages } from './sql/messages.ts'
import { type Scope, searchMessages } from './sql/search.ts'
import { findThreads, listThreads } from './sql/threads.ts'
import { toQuery } from './text.ts'
import { toMessage, toThread } from './thread.ts'

const pageBytesMax = 4 * 1024 * 1024 // Texts of one page of messages.

type Listing = { loop: string | null; pass: number | null; limit: number; cursor: string | null }

export async function readThreads(
  db: DatabasePool,
  scope: Scope,
  { loop, pass, limit, cursor }: Listing,
): Promise<Page<Thread>> {
  const rows = await db.any(listThreads({ ...scope, loop, pass, limit, after: cursor }))
  return {
    items: rows.map(toThread),
    cursor: rows.length === limit ? rows.at(-1)!.id : null,
  }
}

export async function readMessages(
  db: DatabasePool,
  thread: Thread,
  { limit, cursor }: { limit: number; cursor: number },
): Promise<ThreadWithMessages> {
  const page = { thread: thread.id, after: cursor, limit, bytesMax: pageBytesMax }
  const items = (await db.any(listMessages(page))).map(toMessage)
  const last = items.at(-1)?.position
  const isMore = last !== undefined && last + 1 < thread.messages
  return { ...thread, items, cursor: isMore ? String(last) : null }
}

type Search = { q: string; limit: number; cursor: number }

export async function readHits(
  db: DatabasePool,
  scope: Scope,
  { q, limit, cursor }: Search,
): Promise<Page<SearchHit>> {
  const query = toQuery(q)
  if (query === '') return { items: [], cursor: null }
  const rows = await db.any(searchMessages({ ...scope, query, limit, offset: cursor }))
  const found = await db.any(findThreads([...new Set(rows.map(({ thread }) => thread))]))
  const threads = new Map(found.map((row) => [row.id, toThread(row)]))
  const items = rows.flatMap(({ thread: id, excerpt, ...row }) => {
    const thread = threads.get(id) // Absent where it was deleted between the two statements.
    return thread ? [{ ...row, thread, excerpt: toSafe(excerpt) }] : []
  })
  return { items, cursor: rows.length === limit ? String(cursor + limit) : null }
}

/** Without control characters but the two marks, tabs and line ends: any terminal can show it. */
const toSafe = (excerpt: string) =>
  excerpt.replace(/\p{Cc}/gu, (found) => (shownControls.includes(found) ? found : ''))
const shownControls = ['\t', '\n', '\u0002', '\u0003']
