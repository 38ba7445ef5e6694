// Compiled code of the daemon, kept by Node (NODE_COMPILE_CACHE), and the daemon itself linked into
// one file: without the two it takes almost three times as long to start.
// **Security.** Node runs what it finds here, so it is written once, by the daemon's own code
// behind walls of its own before any agent, and belongs to us from then on. Every sandbox sees it
// read-only.
import { execFile } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { inside, linkedName } from './place.ts'
import type { StartPlan } from './plan.ts'

const run = promisify(execFile)
const fillMsMax = 60_000

/** Empty: code of an earlier version is of no use. */
export function makeCodeCache(folder: string): void {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  chmodSync(folder, 0o755)
}

const linkerPath = fileURLToPath(new URL('./link-main.ts', import.meta.url))
const linkedBytesMax = 16 * 1024 * 1024

export async function linkInto(folder: string, readableFolder: string, signal: AbortSignal) {
  const paths = [join(readableFolder, 'app'), join(inside.readable, 'app')]
  const argv = ['--disable-warning=ExperimentalWarning', linkerPath, ...paths]
  const options = { timeout: fillMsMax, maxBuffer: linkedBytesMax, signal }
  const { stdout } = await run(process.execPath, argv, options)
  writeFileSync(join(folder, linkedName), stdout, { mode: 0o644 })
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
