// What is kept of a loop's passes beside their rows, on its way to whoever looks: what commits changed, and terminals.
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import type { Response } from 'express'
import type { DatabasePool } from 'slonik'
import { fault } from './errors.ts'
import { readChanges, readRecording } from './sql/keepsakes.ts'
import { readPass } from './sql/passes.ts'

const expand = promisify(gunzip)
const bytesMax = 64 * 1024 ** 2 // What is stored is a tenth of it at most: anything over it is damage.

/** Of one pass, or of the whole loop. */
export async function sendChanges(
  response: Response,
  db: DatabasePool,
  loop: string,
  pass: number,
): Promise<void> {
  const row = await db.maybeOne(readChanges(loop, pass))
  if (!row) throw await missing(db, { loop, pass, code: 'changes/absent' })
  response.setHeader('content-type', 'application/json; charset=utf-8')
  await send(response, row.body)
}

export async function sendRecording(
  response: Response,
  db: DatabasePool,
  loop: string,
  pass: number,
): Promise<void> {
  const row = await db.maybeOne(readRecording(loop, pass))
  if (!row) throw await missing(db, { loop, pass, code: 'recording/absent' })
  response.setHeader('content-type', 'application/x-asciicast')
  await send(response, row.body)
}

type Missing = { loop: string; pass: number; code: 'changes/absent' | 'recording/absent' }

async function missing(db: DatabasePool, { loop, pass, code }: Missing) {
  const isAbsent = pass > 0 && (await db.maybeOne(readPass(loop, pass))) === null
  return fault(isAbsent ? 'pass/absent' : code)
}

/** An agent chose these bytes: never anything that a browser would run. */
async function send(response: Response, body: Buffer): Promise<void> {
  response.setHeader('x-content-type-options', 'nosniff')
  response.end(await expand(body, { maxOutputLength: bytesMax }))
}
