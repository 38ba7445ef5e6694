// Every agent there is. A new one is a file of its own, and its line here.
import { builtin } from './builtin.ts'
import { claude } from './claude.ts'
import { codex } from './codex.ts'
import { gemini } from './gemini.ts'
import { opencode } from './opencode.ts'
import { openhands } from './openhands.ts'
import { pi } from './pi.ts'
import type { Profile } from './profile.ts'

const table = { builtin, pi, codex, claude, gemini, opencode, openhands } satisfies Record<
  string,
  Profile
>
export type AgentName = keyof typeof table

export const profiles: Readonly<Record<AgentName, Profile>> = table
export const agentNames = Object.keys(table) as [AgentName, ...AgentName[]]
