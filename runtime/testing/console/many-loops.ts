import type { TestAppliance } from '../appliance.ts'
import { connectDatabase } from '../database.ts'

/**
 * So many loops like one that is there, `batch-1` the newest, each ten seconds older than the one before; all over. They
 * changed when they were made: else all of them would be news to whoever listens.
 */
export async function insertLoopsLike(
  treadle: TestAppliance,
  loop: string,
  count: number,
): Promise<void> {
  await using db = await connectDatabase(treadle)
  await db.query(
    `insert into spool.loops (id, org, user_id, name, spec, is_trusted, state, ending, reason, created_at, started_at, ended_at, changed_at)
     select gen_random_uuid()::text, org, user_id, 'batch-' || n, spec || jsonb_build_object('name', 'batch-' || n), is_trusted,
       'ended', 'done', 'Every gate is green.', made, made, made + interval '4 seconds', made
     from spool.loops, generate_series(1, $2) n, lateral (select created_at - n * interval '10 seconds' as made) at
     where id = $1`,
    [loop, count],
  )
}
