// What a Treadle leaves on the machine: its processes, and the folders and cgroups of its sandboxes.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from '../spool/api.ts'
import type { Sandbox } from '../weaver/api.ts'
import type { TestAppliance } from './appliance.ts'

export type Trace = { pid: number; command: string }

/**
 * Every living process that has this folder in its command line, as working folder or program, or mounted: the starter,
 * PostgreSQL, the rehearsal model, and whatever runs in a sandbox, as whichever user and under whichever name.
 */
export function processesOf(folder: string): Trace[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.flatMap((name) => {
    const facts = [
      tryRead(() => readFileSync(`/proc/${name}/cmdline`, 'utf8')),
      tryRead(() => readlinkSync(`/proc/${name}/cwd`)),
      tryRead(() => readlinkSync(`/proc/${name}/exe`)),
      tryRead(() => readFileSync(`/proc/${name}/mountinfo`, 'utf8')),
    ]
    const command = facts[0]!.replaceAll('\0', ' ').slice(0, 200)
    return facts.some((fact) => fact.includes(folder)) ? [{ pid: Number(name), command }] : []
  })
}

// It has ended since the folder was listed, or is a zombie: dead, and not yet collected by its parent.
function tryRead(read: () => string): string {
  try {
    return read()
  } catch {
    return ''
  }
}

const sandboxId = /^[0-9a-f]{16}$/

/** Folders of sandboxes in which nothing lives, and cgroups of those that are over. */
export async function sandboxLeftovers({ client, state }: TestAppliance): Promise<string[]> {
  const root = join(state, 'sandboxes')
  const folders = readdirSync(root)
    .filter((name) => sandboxId.test(name))
    .map((name) => join(root, name))
  const { items } = await client.get<Page<Sandbox>>('/api/sandboxes?state=ended')
  const groups = cgroupFolders().filter((path) => items.some(({ id }) => path.endsWith(id)))
  return [...folders.filter((folder) => processesOf(folder).length === 0), ...groups]
}

const cgroupFolders = () =>
  readdirSync('/sys/fs/cgroup', { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
