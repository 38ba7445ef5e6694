import type { AgentInfo } from '../api.ts'
import { type AgentName, agentNames, profiles } from './profiles.ts'
import { howToGet, howToReplace, type Inventory } from './programs.ts'

/** @param isOwner Of this machine: others learn nothing of where programs lie on it. */
export const listAgents = (inventory: Inventory, isOwner: boolean): AgentInfo[] =>
  agentNames.map((name) => toInfo(name, inventory, isOwner))

function toInfo(name: AgentName, { found, refused }: Inventory, isOwner: boolean): AgentInfo {
  const profile = profiles[name]
  const { title, provedVersion, proof, licence, memoryBytes, token, exits } = profile
  const program = found[name]
  const why = refused[name] && (isOwner ? refused[name] : howToReplace(profile))
  return {
    name,
    title,
    state: program ? 'ready' : why === undefined ? 'missing' : 'refused',
    version: program?.version ?? null,
    provedVersion,
    proof,
    wires: profile.wires.map(({ wire }) => wire),
    from: (isOwner && program?.from) || null,
    licence,
    memoryBytes,
    token,
    exits,
    fix: program ? null : (why ?? howToGet(profile)),
  }
}
