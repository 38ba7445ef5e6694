import type { AgentInfo } from '../api.ts'
import { type AgentName, agentNames, profiles } from './profiles.ts'
import { howToGet, type Inventory } from './programs.ts'

export const listAgents = (inventory: Inventory): AgentInfo[] =>
  agentNames.map((name) => toInfo(name, inventory))

function toInfo(name: AgentName, { found, refused }: Inventory): AgentInfo {
  const profile = profiles[name]
  const { title, provedVersion, proof, licence, memoryBytes, token, exits } = profile
  const program = found[name]
  const why = refused[name]
  return {
    name,
    title,
    state: program ? 'ready' : why === undefined ? 'missing' : 'refused',
    version: program?.version ?? null,
    provedVersion,
    proof,
    wires: profile.wires.map(({ wire }) => wire),
    from: program?.from ?? null,
    licence,
    memoryBytes,
    token,
    exits,
    fix: program ? null : (why ?? howToGet(profile)),
  }
}
