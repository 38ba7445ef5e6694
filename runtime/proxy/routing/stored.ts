// Whose a response is that its vendor stores, and where. Ids belong to their organisation: another's is as unknown as none.
// Known in memory; the database is asked on a miss alone, which is the one look that a call may wait for.
import type { DatabasePool } from 'slonik'
import type { Logger } from '#kernel/log.ts'
import { Refusal } from '../refusal.ts'
import {
  deleteStored,
  deleteStoredBefore,
  findStored,
  insertStored,
  type StoredResponse,
} from '../sql/stored-responses.ts'

const knownMax = 50_000 // 200 bytes each.
const waitingMax = 50_000 // While the database is away; the oldest are lost, and are then unknown.
const batchMax = 1_000
const lookMs = 2_000 // A dead database is told to the caller, not waited for.
const looksMax = 100 // At once: a crowd of unknown ids must not take every connection.
const idPattern = /^[\w-]{1,200}$/
const keptDays = 35 // OpenAI keeps responses for thirty days.
const dayMs = 86_400_000

export type Stored = {
  /** Off the path of the call: it is written with others later. */
  record(id: string, org: string, provider: string): void
  /** The provider that stores it. Throws `response/absent`, or `responses/unknown` where nobody can tell. */
  find(id: string, org: string): string | Promise<string>
  /** It was deleted at its vendor. */
  forget(id: string, org: string): void
  /** Writes what waits, and drops what is too old. */
  write(): Promise<void>
}

export function createStored(deps: { db: DatabasePool; log: Logger; now: () => Date }): Stored {
  const { db, log, now } = deps
  const known = new Map<string, string>()
  let waiting: StoredResponse[] = []
  const gone: { id: string; org: string }[] = []
  let looks = 0
  let lost = 0

  const remember = (name: string, provider: string) => {
    known.delete(name)
    known.set(name, provider)
    if (known.size > knownMax) known.delete(known.keys().next().value!)
  }

  const look = async (id: string, org: string): Promise<string> => {
    if (looks >= looksMax) throw new Refusal('responses/unknown', undefined, 1)
    looks += 1
    try {
      const row = await within(lookMs, db.maybeOne(findStored(id, org)))
      if (!row) throw new Refusal('response/absent')
      remember(nameOf(id, org), row.provider)
      return row.provider
    } catch (error) {
      if (error instanceof Refusal) throw error
      log.warn({ error }, 'a stored response could not be looked up')
      throw new Refusal('responses/unknown', undefined, 2)
    } finally {
      looks -= 1
    }
  }

  return {
    record(id, org, provider) {
      if (!idPattern.test(id)) return
      remember(nameOf(id, org), provider)
      waiting.push({ id, org, provider, at: now() })
      if (waiting.length <= waitingMax) return
      waiting.shift()
      lost += 1
    },
    find(id, org) {
      if (!idPattern.test(id)) throw new Refusal('response/absent')
      return known.get(nameOf(id, org)) ?? look(id, org)
    },
    forget(id, org) {
      known.delete(nameOf(id, org))
      waiting = waiting.filter((one) => one.id !== id || one.org !== org)
      if (gone.length < waitingMax) gone.push({ id, org })
    },
    async write() {
      if (lost > 0) log.warn({ lost }, 'stored responses were forgotten: the database is away')
      lost = 0
      while (waiting.length > 0) {
        const batch = waiting.slice(0, batchMax)
        await db.query(insertStored(batch))
        const written = new Set(batch)
        waiting = waiting.filter((one) => !written.has(one))
      }
      for (const one of gone.splice(0)) await db.query(deleteStored(one.id, one.org))
      await db.query(deleteStoredBefore(new Date(now().getTime() - keptDays * dayMs), batchMax))
    },
  }
}

const nameOf = (id: string, org: string) => `${org}\0${id}`

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
