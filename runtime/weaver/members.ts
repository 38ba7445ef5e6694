// The processes of one sandbox, found from outside, and ended.
import { setTimeout as sleep } from 'node:timers/promises'
import { cgroupMembers } from './backend/cgroups.ts'
import type { Place } from './backend/place.ts'
import { markName } from './backend/plan.ts'
import { descendantsOf, hasInEnvironment, listProcesses, type ProcessFacts, readProcess, signal, uidOf } from './processes.ts'

export type Whose = Pick<Place, 'id' | 'uid' | 'cgroups'> & {
  /** The process that was started, while it lives. */
  pid: number | null
}

/**
 * By cgroup, else by the sandbox's own user, else by descent and mark.
 * **Limits.** The last way, that of an ordinary user without cgroups, misses a process without walls that left its
 * parents and removed the mark. Behind walls nothing can leave: orphans go to the first process of their namespace.
 */
export function membersOf(whose: Whose): ProcessFacts[] {
  return idsOf(whose)
    .flatMap((pid) => readProcess(pid) ?? [])
    .filter(({ isZombie }) => !isZombie)
}

function idsOf({ id, uid, cgroups, pid }: Whose): number[] {
  if (cgroups.length > 0) return cgroupMembers(cgroups)
  const all = listProcesses()
  if (uid !== null) return all.map((one) => one.pid).filter((one) => uidOf(one) === uid)
  const descendants = pid === null ? [] : descendantsOf(pid, all).map((one) => one.pid)
  const marked = all.map((one) => one.pid).filter((one) => hasInEnvironment(one, `${markName}=${id}`))
  return [...new Set([...descendants, ...marked])].filter((one) => one !== process.pid)
}

export const toKey = ({ pid, started }: Pick<ProcessFacts, 'pid' | 'started'>) => `${pid}@${started}`

const stopRoundsMax = 50
const endMsMax = 10_000
const lookMs = 10

/**
 * Ends all but the spared, and answers whether that went well. All are stopped first, round after round until a look
 * finds nothing new: what is stopped can't fork, so a fork bomb loses the race.
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

/** Ends all of it, from the root down: where there are walls, the kernel does the rest. */
export async function endAll(whose: Whose): Promise<void> {
  if (whose.pid !== null) signal(whose.pid, 'SIGKILL')
  if (!(await endMembers(whose, new Set()))) throw new Error(`Processes of ${whose.id} don't end.`)
}
