// What an agent's terminal showed: the stored end of a pass that is over, or live from its sandbox.
import type { Response } from 'express'
import { Fault } from '#kernel/fault.ts'
import type { RoleDeps } from '#kernel/role.ts'
import { fault } from './errors.ts'
import { lastPasses, type PassRow, readOutput, readPass } from './sql/passes.ts'

const tailBytes = 256 * 1024

/** Without a number, the last pass. */
export async function sendOutput(
  response: Response,
  deps: RoleDeps,
  loop: string,
  pass?: number,
): Promise<void> {
  const row =
    pass === undefined
      ? (await deps.db.any(lastPasses(loop, 1)))[0]
      : await deps.db.maybeOne(readPass(loop, pass))
  if (!row) throw fault('pass/absent')
  const bytes =
    (row.phase === 'agent' ? await live(deps, row) : undefined) ?? (await stored(deps, row))
  // Bytes that an agent chose: never anything that a browser would run.
  response.setHeader('content-type', 'application/octet-stream')
  response.setHeader('x-content-type-options', 'nosniff')
  response.end(bytes)
}

async function stored({ db }: RoleDeps, { loop, pass }: PassRow): Promise<Buffer> {
  const row = await db.maybeOne(readOutput(loop, pass))
  return row?.output ?? Buffer.alloc(0)
}

async function live({ peers }: RoleDeps, { sandbox }: PassRow): Promise<Buffer | undefined> {
  if (!sandbox) return undefined
  try {
    const path = `/api/sandboxes/${encodeURIComponent(sandbox)}/agent/output?tail=${tailBytes}`
    const { body } = await peers.call('weaver', { path })
    return Buffer.from(await body.arrayBuffer()).subarray(-tailBytes)
  } catch (error) {
    if (error instanceof Fault) return undefined // Its sandbox has ended a moment ago.
    throw error
  }
}
