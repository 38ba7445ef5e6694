// The processes of one sandbox, found from outside, and ended.
import { setTimeout as sleep } from 'node:timers/promises'
import { cgroupMembers } from './backend/cgroups.ts'
import type { Place } from './backend/place.ts'
import {
  descendantsOf,
  listProcesses,
  type ProcessFacts,
  readProcess,
  signal,
  uidOf,
} from './processes.ts'

export type Whose = Pick<Place, 'id' | 'uid' | 'cgroups'> & {
  /** The process that was started, while it lives. */
  pid: number | null
}

/**
 * By cgroup, else by the sandbox's own user, else by descent.
 * **Limits.** Descent, the way of an ordinary user without cgroups, misses a process without walls
 * that left its parents. Behind walls nothing can leave: orphans go to the first process of their
 * namespace.
 */
export function membersOf(whose: Whose): ProcessFacts[] {
  return candidates(whose).filter(({ isZombie }) => !isZombie)
}

function candidates({ uid, cgroups, pid }: Whose): ProcessFacts[] {
  if (cgroups.length > 0) return cgroupMembers(cgroups).flatMap((one) => readProcess(one) ?? [])
  const all = listProcesses()
  if (uid !== null) return all.filter((one) => uidOf(one.pid) === uid)
  return pid === null ? [] : descendantsOf(pid, all)
}

export const toKey = ({ pid, started }: Pick<ProcessFacts, 'pid' | 'started'>) =>
  `${pid}@${started}`

const stopRoundsMax = 50
const endMsMax = 10_000
const lookMs = 10

/**
 * Ends all but the spared, and answers whether that went well. All are stopped first, round after
 * round until a look finds nothing new: what is stopped can't fork, so a fork bomb loses the race.
 */
export async function endMembers(whose: Whose, spared: ReadonlySet<string>): Promise<boolean> {
  const doomed = () => membersOf(whose).filter((member) => !spared.has(toKey(member)))
  for (let round = 0; round < stopRoundsMax; round += 1) {
    const moving = doomed().filter(({ isStopped }) => !isStopped)
    if (moving.length === 0) break
    for (const { pid } of moving) signal(pid, 'SIGSTOP')
    await sleep(1)
  }
  for (const { pid } of doomed()) signal(pid, 'SIGKILL')
  const until = Date.now() + endMsMax
  while (doomed().length > 0) {
    if (Date.now() > until) return false
    await sleep(lookMs)
  }
  return true
}

const askMsMax = 2_000

/** Ends all of it, from the root down: where there are walls, the kernel does the rest. */
export async function endAll(whose: Whose): Promise<void> {
  const { id, pid, uid, cgroups } = whose
  if (pid !== null && uid === null && cgroups.length === 0) await askToEnd(pid)
  if (pid !== null) signal(pid, 'SIGKILL')
  if (!(await endMembers(whose, new Set()))) throw new Error(`Processes of ${id} don't end.`)
}

/**
 * Where only descent tells what belongs to it, the daemon still finds by its own mark what left the
 * family.
 */
async function askToEnd(pid: number): Promise<void> {
  signal(pid, 'SIGTERM')
  const until = Date.now() + askMsMax
  while (Date.now() < until && readProcess(pid)?.isZombie === false) await sleep(lookMs)
}
