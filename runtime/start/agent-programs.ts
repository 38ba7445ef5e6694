// Brings the agents' programs of this machine to where sandboxes see them, beside those of this installation.
import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { linkTree } from '#kernel/link-tree.ts'
import { askVersion, type Link, locate } from '../spool/agents/on-machine.ts'
import { agentNames, profiles } from '../spool/agents/profiles.ts'
import {
  type Agents,
  type Found,
  findInstalled,
  type Inventory,
  inventoryFile,
} from '../spool/agents/programs.ts'

export type AgentPrograms = { inventory: Inventory; links: readonly Link[] }

// Where installers put programs, whatever the PATH of whoever starts Treadle.
const usualFolders = (home: string) => [
  ...['.local/bin', '.npm-global/bin', '.opencode/bin', '.claude/local', '.bun/bin'].map((folder) =>
    join(home, folder),
  ),
  ...['/usr/local/bin', '/usr/bin'],
]

/** This installation's own come first: they are of the version that was proved. */
export function findAgentPrograms(clone: string, searchPath: string): AgentPrograms {
  const installed = findInstalled(clone)
  const folders = [...searchPath.split(':').filter(Boolean), ...usualFolders(homedir())]
  const found: Record<string, Found> = { ...installed }
  const refused: Record<string, string> = {}
  const links: Link[] = []
  for (const name of agentNames.filter((each) => !installed[each])) {
    const located = locate(name, profiles[name], {
      folders,
      skipped: [join(clone, 'node_modules')],
    })
    if (!located) continue
    if ('refused' in located) refused[name] = located.refused
    else {
      found[name] = located.found
      links.push(...located.links)
    }
  }
  return { inventory: { found: found as Agents, refused }, links }
}

/** Packages of this installation that agents run from. */
export const packagesOf = ({ found }: Inventory): string[] =>
  Object.values(found)
    .filter(({ place, from }) => place === 'installation' && from.startsWith('node_modules/'))
    .map(({ from }) => from.slice('node_modules/'.length))

/** Changes when a program does. */
export const keyOf = ({ inventory, links }: AgentPrograms): string =>
  JSON.stringify([
    inventory,
    links.map(({ from }) => {
      const { size, mtimeMs } = statSync(from)
      return [from, size, mtimeMs]
    }),
  ])

/** Into the folder that becomes `{{app}}`. */
export function bringAgentPrograms({ inventory, links }: AgentPrograms, app: string): void {
  for (const { from, to } of links) {
    mkdirSync(dirname(join(app, to)), { recursive: true, mode: 0o755 })
    linkTree(from, join(app, to))
  }
  const found = Object.entries(inventory.found).map(([name, each]) => [name, withVersion(each)])
  const whole = { ...inventory, found: Object.fromEntries(found) }
  writeFileSync(join(app, inventoryFile), JSON.stringify(whole, null, 2))
}

const withVersion = (found: Found): Found =>
  found.version === null && found.place === 'machine'
    ? { ...found, version: askVersion(found.from) }
    : found
