// Which agents' programs are there, and how each is run. Paths begin with `{{app}}` (where Treadle's programs lie, as
// the agent sees them) or `{{node}}`, for behind walls they lie elsewhere than here.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Profile } from './profile.ts'
import { type AgentName, agentNames, profiles } from './profiles.ts'

export type Found = {
  /** installation: its package came with this clone's. machine: somebody installed it here. */
  place: 'installation' | 'machine'
  version: string | null
  /** Where it was found, for a person. */
  from: string
  run: readonly string[]
  env: Readonly<Record<string, string>>
}
export type Agents = Readonly<Partial<Record<AgentName, Found>>>

export type Inventory = {
  found: Agents
  /** Found, and not fit to run in a sandbox: why, and what to do. */
  refused: Readonly<Partial<Record<AgentName, string>>>
}

/** What a profile needs to become something that runs. `node` and `app` as the agent sees them. */
export type Programs = { node: string; app: string; agents: Agents }

/** Written beside the programs by whoever brought them there. */
export const inventoryFile = 'agents.json'

/** What was brought to this folder; in a plain installation, what its packages hold. */
export function readInventory(app: string): Inventory {
  const file = join(app, inventoryFile)
  if (!existsSync(file)) return { found: findInstalled(app), refused: {} }
  return JSON.parse(readFileSync(file, 'utf8')) as Inventory
}

export function findInstalled(app: string): Agents {
  const pairs = agentNames.flatMap((name) => {
    const found = findOne(profiles[name], app)
    return found ? [[name, found]] : []
  })
  return Object.fromEntries(pairs) as Agents
}

function findOne({ program }: Profile, app: string): Found | undefined {
  if (program.kind === 'python') return undefined
  if (program.kind === 'ours') return toFound('', program.entry, readVersion(app))
  const packages = program.kind === 'node' ? [program.package] : program.parts.map(forThisMachine)
  const folder = packages
    .map((name) => `node_modules/${name}`)
    .find((at) => existsSync(join(app, at, program.entry)))
  if (folder === undefined) return undefined
  const found = toFound(folder, program.entry, readVersion(join(app, folder)))
  return program.kind === 'node' ? found : { ...found, run: found.run.slice(1) }
}

const toFound = (folder: string, entry: string, version: string | null): Found => ({
  place: 'installation',
  version,
  from: folder === '' ? 'this installation' : folder,
  run: ['{{node}}', `{{app}}/${folder === '' ? entry : `${folder}/${entry}`}`],
  env: {},
})

export const forThisMachine = (name: string) => name.replace('{{arch}}', process.arch)

/** Of an npm package; null where that can't be read. */
export function readVersion(folder: string): string | null {
  const { version } = readManifest(folder) ?? {}
  return typeof version === 'string' ? version : null
}

export type Manifest = {
  name?: string
  version?: string
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
}

export function readManifest(folder: string): Manifest | null {
  try {
    return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
  } catch {
    return null // No package, or none that Node would take either.
  }
}

/** For whom it is refused to, and whose business it is not where it lies on this machine. */
export const howToReplace = (profile: Profile) =>
  `It is on this machine, and can't be run in a sandbox as it is. ${howToGet(profile)}`

/** For whom it is missing. */
export function howToGet({ program }: Profile): string {
  if (program.kind === 'ours') return 'It comes with Treadle.'
  return `Install it (${program.install}), then start Treadle again.`
}
