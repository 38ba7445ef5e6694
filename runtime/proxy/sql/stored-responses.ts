import { sql } from 'slonik'
import { z } from 'zod'

export type StoredResponse = { id: string; org: string; provider: string; at: Date }

/** Many at once; one that is known stays as it was. */
export const insertStored = (responses: readonly StoredResponse[]) => sql.unsafe`
  insert into proxy.stored_responses (id, org, provider, created_at)
  select * from ${sql.unnest(
    responses.map(({ id, org, provider, at }) => [id, org, provider, at.toISOString()]),
    ['text', 'text', 'text', 'timestamptz'],
  )}
  on conflict (org, id) do nothing`

const StoredRow = z.object({ provider: z.string() })
export const findStored = (id: string, org: string) => sql.type(StoredRow)`
  select provider from proxy.stored_responses where org = ${org} and id = ${id}`

export const deleteStored = (id: string, org: string) =>
  sql.unsafe`delete from proxy.stored_responses where org = ${org} and id = ${id}`

/** A bounded number at a time, so that no statement holds the table for long. */
export const deleteStoredBefore = (before: Date, rowsMax: number) => sql.unsafe`
  delete from proxy.stored_responses where ctid in (
    select ctid from proxy.stored_responses where created_at < ${sql.timestamp(before)} limit ${rowsMax})`
