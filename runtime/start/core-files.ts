// What a process leaves behind when it crashes holds all that it knew: opened credentials above all.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/**
 * No core file of this process nor of what it starts, for good: the hard limit goes down as well. Node has no call for it.
 * Where `prlimit` (util-linux) is not there, what the shell or systemd set stays. A report of a crash, which Node writes where
 * its flags ask for one, is without the environment.
 */
export function forbidCoreFiles(): void {
  if (process.report) process.report.excludeEnv = true
  const limit = ['--pid', String(process.pid), '--core=0:0']
  if (process.platform === 'linux') spawnSync('prlimit', limit, { stdio: 'ignore', timeout: 2_000 })
}

/** Bytes of the largest core file that a process may leave; null = as many as it likes, or nobody knows. */
export function readCoreLimit(pid: number | 'self'): number | null {
  const row = /^Max core file size\s+(\S+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))
  return row && row[1] !== 'unlimited' ? Number(row[1]) : null
}
