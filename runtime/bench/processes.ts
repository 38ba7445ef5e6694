// Starting, pinning and weighing trees of processes, by /proc.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

const ticksPerSecond = 100 // USER_HZ, on every Linux that Node runs on.
const stopMsMax = 5_000

type Stat = { name: string; parent: number; ownTicks: number; reapedTicks: number }

// Fields are numbered as in proc_pid_stat(5), from the one after the name.
function readStat(pid: number): Stat | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const end = text.lastIndexOf(')')
    const fields = text.slice(end + 2).split(' ')
    const ticks = (index: number) => Number(fields[index]) + Number(fields[index + 1])
    const name = text.slice(text.indexOf('(') + 1, end)
    return { name, parent: Number(fields[1]), ownTicks: ticks(11), reapedTicks: ticks(13) }
  } catch {
    return null // It has gone.
  }
}

/** The process and all below it, with what each has used. */
export function readTree(root: number): ReadonlyMap<number, Stat> {
  const all = new Map<number, Stat>()
  for (const entry of readdirSync('/proc')) {
    const stat = /^\d+$/.test(entry) ? readStat(Number(entry)) : null
    if (stat) all.set(Number(entry), stat)
  }
  const found = new Map<number, Stat>()
  const pending = [root]
  for (let pid = pending.pop(); pid !== undefined; pid = pending.pop()) {
    const stat = all.get(pid)
    if (!stat) continue
    found.set(pid, stat)
    for (const [child, { parent }] of all) if (parent === pid) pending.push(child)
  }
  return found
}

const toMs = (ticks: number) => (ticks * 1_000) / ticksPerSecond

/** CPU so far of the living processes of the tree whose name `isMeant`. */
export function cpuMs(root: number, isMeant: (name: string, pid: number) => boolean = () => true) {
  let ms = 0
  for (const [pid, { name, ownTicks }] of readTree(root))
    if (isMeant(name, pid)) ms += readThreadsMs(pid) ?? toMs(ownTicks)
  return ms
}

const nanosecondsPerMs = 1e6

/** By the scheduler's account of each thread, in nanoseconds: ticks of 10 ms are too coarse for a call. */
function readThreadsMs(pid: number): number | null {
  try {
    let nanoseconds = 0
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const text = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1')
      nanoseconds += Number(text.split(' ', 1)[0])
    }
    return nanoseconds / nanosecondsPerMs
  } catch {
    return null // It has gone, or the kernel keeps no such account.
  }
}

/** What the tree has in memory, shared pages counted for each. Cheap: reading it holds no process up. */
export function residentKb(root: number, isMeant: (pid: number) => boolean = () => true): number {
  let kb = 0
  for (const pid of readTree(root).keys()) if (isMeant(pid)) kb += readResidentKb(pid)
  return kb
}

const pageKb = 4 // On every machine that nginx and this run on here.

function readResidentKb(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) * pageKb
  } catch {
    return 0 // It has gone.
  }
}

/** Of this process's ended children. */
export const reapedCpuMs = () => toMs(readStat(process.pid)!.reapedTicks)

/** All that this machine's processors have worked so far, for whomever. */
export function machineCpuMs(): number {
  const [line] = readFileSync('/proc/stat', 'latin1').split('\n', 1)
  const [, user, nice, system, , , irq, softIrq, steal] = line!.split(/ +/).map(Number)
  return toMs(user! + nice! + system! + irq! + softIrq! + steal!)
}

/** Memory of the tree in megabytes; a page that several share is counted once. */
export function memoryMb(root: number): number {
  let kb = 0
  for (const pid of readTree(root).keys()) kb += readMemoryKb(pid)
  return kb / 1_024
}

function readMemoryKb(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1')
    return Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0)
  } catch {
    return 0 // It has gone.
  }
}

/** Holds the tree, all its threads, to one core. */
export function pin(root: number, core: number): void {
  for (const pid of readTree(root).keys()) {
    try {
      execFileSync('taskset', ['-acp', String(core), String(pid)], { stdio: 'ignore' })
    } catch {
      // A process that ended meanwhile; without taskset(1) every start below fails, and says so.
    }
  }
}

export type Program = AsyncDisposable & { child: ChildProcess; pid: number }

type StartOptions = { core?: number; stderr?: 'inherit' | 'ignore' }

export function startProgram(
  argv: readonly string[],
  { core, stderr = 'inherit' }: StartOptions = {},
): Program {
  const [file, ...rest] = core === undefined ? argv : ['taskset', '-c', String(core), ...argv]
  const child = spawn(file!, rest, { stdio: ['ignore', 'pipe', stderr] })
  const ended = once(child, 'close').catch(() => {}) // It could not be started: whoever reads from it is told.
  return {
    child,
    pid: child.pid!,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      if (await Promise.race([ended, sleep(stopMsMax, 'late', { ref: false })])) return
      child.kill('SIGKILL')
    },
  }
}

export async function readAll({ child }: Program): Promise<string> {
  let text = ''
  child.stdout!.setEncoding('utf8')
  for await (const piece of child.stdout!) text += piece
  return text
}

/** The first line: where a program of ours listens. */
export async function readFirstLine({ child }: Program): Promise<string> {
  for await (const line of createInterface({ input: child.stdout! })) return line
  throw new Error(`${child.spawnargs.join(' ')} ended without a word.`)
}
