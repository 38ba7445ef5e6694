import { fs } from './builtin.ts'
import { markName, type Pod } from './pod.ts'

const roundsMax = 20 // A process may fork while it is looked for; each round finds what the last one missed.

/**
 * Kills whatever was started in the sandbox, and all that it started.
 * **Limits.** Without a pid namespace of its own, a process that removed the mark from its environment
 * and left its group is not found.
 */
export function killEverything({
  ownPidNamespace,
  mark,
}: Pick<Pod, 'ownPidNamespace' | 'mark'>): void {
  if (ownPidNamespace) {
    kill(-1, 'SIGKILL') // All but this process and pid 1, at once: kill(2).
    return
  }
  for (let round = 0; round < roundsMax; round += 1) {
    const found = visibleProcesses().filter((id) => isMarked(id, mark))
    if (found.length === 0) return
    for (const id of found) kill(id, 'SIGKILL')
  }
}

/** A signal to a process, or to a group by its negative number. What is gone already is no error. */
export function kill(id: number, signal: NodeJS.Signals): void {
  try {
    process.kill(id, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

export const visibleProcesses = (): number[] =>
  fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)

function isMarked(id: number, mark: string): boolean {
  if (id === process.pid) return false
  try {
    return fs.readFileSync(`/proc/${id}/environ`, 'latin1').includes(`${markName}=${mark}`)
  } catch {
    return false // Somebody else's, or gone: neither is ours to kill.
  }
}
