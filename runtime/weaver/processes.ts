// Processes as the kernel's own file system shows them. proc(5).
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync } from 'node:fs'

export type ProcessFacts = {
  pid: number
  parent: number
  /** Clock ticks since boot: with the pid, it names one process for good. */
  started: string
  isZombie: boolean
  isStopped: boolean
  residentBytes: number
}

// Where pages are larger this counts too little, and the cgroup does the counting.
const pageBytes = 4_096

export function readProcess(pid: number): ProcessFacts | null {
  const text = readOrNull(`/proc/${pid}/stat`)
  if (text === null) return null
  // The second field is the program's own name in parentheses: it may hold anything, spaces and
  // parentheses too.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state, parent] = fields
  return {
    pid,
    parent: Number(parent),
    started: fields[19]!,
    isZombie: state === 'Z' || state === 'X',
    isStopped: state === 'T' || state === 't',
    residentBytes: Number(fields[21]) * pageBytes,
  }
}

/** The number alone proves nothing: another process may have it by now. */
export const toLivingPid = (pid: number | null, started: string | null): number | null =>
  pid !== null && readProcess(pid)?.started === started ? pid : null

export const listProcesses = (): ProcessFacts[] =>
  listPids().flatMap((pid) => readProcess(pid) ?? [])

export const listPids = (): number[] =>
  readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? Number(name) : []))

/**
 * The owner as the kernel sees it: a process can't hide it, unlike the owner of the files within
 * the folder.
 */
export function uidOf(pid: number): number | null {
  try {
    return statSync(`/proc/${pid}`).uid
  } catch {
    return null // It has ended.
  }
}

/** A process and all it started, as far as the chain of parents reaches. */
export function descendantsOf(root: number, all: readonly ProcessFacts[]): ProcessFacts[] {
  const children = Map.groupBy(all, ({ parent }) => parent)
  const found = all.filter(({ pid }) => pid === root)
  // The list grows while it is walked.
  for (const { pid } of found) found.push(...(children.get(pid) ?? []))
  return found
}

/** What is gone already is no error; what is not ours is. */
export function signal(pid: number, name: NodeJS.Signals): void {
  assert(pid > 1, 'Zero and below mean groups of processes, ours among them.')
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function readOrNull(file: string): string | null {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return null // It ended while we looked, or it is not ours to read.
  }
}
