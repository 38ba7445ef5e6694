// A loop's id as people type it: whole, or its first characters.
import type { LoopPage } from '../spool/api.ts'
import type { Client } from './client.ts'
import { pathOf, segment } from './command.ts'
import { failure } from './errors.ts'

const start = /^[0-9a-f][0-9a-f-]{3,34}$/i // Four characters at least; a whole id has 36.
const pagesMax = 5 // Names and repositories match as well; 1,000 of them hide no loop that anybody means.

/** `/api/loops/ID` of the one loop whose id begins so. What begins no loop is the server's to refuse. */
export async function loopPath(client: Client, given: string): Promise<string> {
  if (!start.test(given)) return `/api/loops/${segment(given)}`
  const ids = await findIds(client, given.toLowerCase())
  if (ids.length > 1) {
    const say = `${given} begins the ids of several loops: ${ids.join(', ')}. Write more of it.`
    throw failure('cli/usage', say)
  }
  return `/api/loops/${segment(ids[0] ?? given)}`
}

async function findIds(client: Client, prefix: string): Promise<string[]> {
  const ids: string[] = []
  let cursor: string | undefined
  for (let pages = 0; pages < pagesMax && ids.length < 2; pages += 1) {
    const page = await client.json<LoopPage>(
      pathOf('/api/loops', { q: prefix, limit: 200, cursor }),
    )
    ids.push(...page.items.map(({ id }) => id).filter((id) => id.startsWith(prefix)))
    if (page.cursor === null) break
    cursor = page.cursor
  }
  return ids
}
