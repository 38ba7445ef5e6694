// Compiled code of the daemon, kept by Node (NODE_COMPILE_CACHE): without it the
// daemon takes almost three times as long to start.
// **Security.** Node runs what it finds here, so it is written once, by the daemon's own code
// behind walls of its own before any agent, and belongs to us from then on. Every sandbox sees it
// read-only.
import { execFile } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, rmSync } from 'node:fs'
import { promisify } from 'node:util'
import type { StartPlan } from './plan.ts'

const run = promisify(execFile)
const fillMsMax = 60_000

/** Empty: code of an earlier version is of no use. */
export function makeCodeCache(folder: string): void {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  chmodSync(folder, 0o755)
}

type Filling = { folder: string; uid: number | null; signal: AbortSignal }

export async function fillCodeCache({ argv, env }: StartPlan, filling: Filling): Promise<void> {
  const { folder, uid, signal } = filling
  if (uid !== null) chownSync(folder, uid, uid)
  try {
    await run(argv[0]!, argv.slice(1), { env, cwd: '/', timeout: fillMsMax, signal })
  } finally {
    if (uid !== null) await run('chown', ['-R', '0:0', '--', folder])
    await run('chmod', ['-R', 'u+rwX,go=rX', '--', folder])
  }
}
