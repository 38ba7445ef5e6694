// The floor under a pass: what cannot be left out, done by plain commands. A checkout, the tests as the agent runs them,
// a commit, and the gate in a clean checkout of that commit.
import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDemoLoop } from '../testing/demo-loop.ts'
import { reapedCpuMs } from './processes.ts'
import { median } from './table.ts'

export type BarePass = { cpuMs: number; ms: number }
const runs = 5

export async function measureBarePass(): Promise<BarePass> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-pass-'))
  try {
    const { repository } = await createDemoLoop(folder, 'word-count')
    const passes = Array.from({ length: runs }, (_, run) => doPass(folder, repository, run))
    return {
      cpuMs: median(passes.map(({ cpuMs }) => cpuMs)),
      ms: median(passes.map(({ ms }) => ms)),
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function doPass(folder: string, repository: string, run: number): BarePass {
  const [work, clean] = [join(folder, `work-${run}`), join(folder, `clean-${run}`)]
  const [startedAt, cpuBefore] = [performance.now(), reapedCpuMs()]
  runIn(folder, 'git', 'clone', '--quiet', repository, work)
  runIn(work, process.execPath, '--test')
  appendFileSync(join(work, 'word-count.js'), '\n')
  runIn(work, 'git', '-c', 'user.name=B', '-c', 'user.email=b@localhost', 'commit', '-qam', 'pass')
  runIn(folder, 'git', 'clone', '--quiet', work, clean)
  runIn(clean, process.execPath, '--test')
  return { cpuMs: reapedCpuMs() - cpuBefore, ms: performance.now() - startedAt }
}

function runIn(cwd: string, file: string, ...args: string[]): void {
  try {
    execFileSync(file, args, { cwd, stdio: 'ignore' })
  } catch (error) {
    if (file === 'git') throw error // The tests are red, as they are in a first pass.
  }
}
