// CPU of a tree of processes with all that ended in it: those behind walls of their own are waited for by nobody in the
// tree, so what processes tell of their children is not enough.
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { machineCpuMs, readTree } from './processes.ts'

export type CpuMeter = Disposable & {
  /** What is counted. */
  name: string
  readMs(): number
}

const accounts = '/sys/fs/cgroup/cpuacct' // cgroups, version 1: a hierarchy that sandboxes do not move in.
const nanosecondsPerMs = 1e6

export function startCpuMeter(root: number): CpuMeter {
  const folder = join(accounts, `bench-${root}`)
  try {
    if (!existsSync(accounts)) throw new Error('no version 1')
    mkdirSync(folder)
    for (const pid of readTree(root).keys()) writeFileSync(join(folder, 'cgroup.procs'), `${pid}`)
  } catch {
    return { name: 'the whole machine', readMs: machineCpuMs, [Symbol.dispose]() {} }
  }
  return {
    name: 'all its processes',
    readMs: () => Number(readFileSync(join(folder, 'cpuacct.usage'), 'utf8')) / nanosecondsPerMs,
    [Symbol.dispose]() {
      try {
        rmdirSync(folder)
      } catch {
        // A process in it still ends. An empty group costs nothing, and the next boot forgets it.
      }
    },
  }
}
