// What is kept of a pass beside its row: what its commit changed, and its agent's terminal. Both gzipped.
import { sql } from 'slonik'
import { z } from 'zod'
import type { ChangeCounts } from '../api.ts'

const Body = z.object({ body: z.custom<Buffer>(Buffer.isBuffer) })

/** In place of a pass's number: the whole loop, from its base to its newest commit. */
export const wholeLoop = 0

export type StoredChanges = { counts: ChangeCounts; body: Buffer }

/** Safe to run twice: the later one stands. */
export const putChanges = (loop: string, pass: number, { counts, body }: StoredChanges) =>
  sql.unsafe`
    insert into spool.changes (loop, pass, files, additions, deletions, body)
    values (${loop}, ${pass}, ${counts.files}, ${counts.additions}, ${counts.deletions}, ${sql.binary(body)})
    on conflict (loop, pass) do update set files = excluded.files, additions = excluded.additions,
      deletions = excluded.deletions, body = excluded.body`

export const readChanges = (loop: string, pass: number) =>
  sql.type(Body)`select body from spool.changes where loop = ${loop} and pass = ${pass}`

export const putRecording = (loop: string, pass: number, body: Buffer) =>
  sql.unsafe`
    insert into spool.recordings (loop, pass, body) values (${loop}, ${pass}, ${sql.binary(body)})
    on conflict (loop, pass) do update set body = excluded.body`

export const readRecording = (loop: string, pass: number) =>
  sql.type(Body)`select body from spool.recordings where loop = ${loop} and pass = ${pass}`
