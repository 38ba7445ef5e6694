// What a pass changed, ready to be stored with its commit.
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Changes } from '../api.ts'
import { readChanges } from '../git/diff.ts'
import type { StoredChanges } from '../sql/keepsakes.ts'
import type { Run } from './run.ts'

const compress = promisify(gzip)

export type PassChanges = { pass: StoredChanges; whole: StoredChanges }

/** Undefined where git fails at it: what a person looks at later must not fail the pass. */
export async function toChangesOf(
  { work, loop, log }: Run,
  from: string,
  sha: string,
): Promise<PassChanges | undefined> {
  const base = loop.base ?? from
  try {
    const pass = await toStored(await readChanges(work, from, sha))
    const whole = from === base ? pass : await toStored(await readChanges(work, base, sha))
    return { pass, whole }
  } catch (error) {
    log.warn({ error, loop: loop.id }, 'what a pass changed was not stored')
    return undefined
  }
}

const toStored = async (changes: Changes): Promise<StoredChanges> => ({
  counts: changes.counts,
  body: await compress(JSON.stringify(changes)),
})
