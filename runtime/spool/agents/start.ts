// From a loop and its agent's profile to what the pod daemon starts.
import { createFaults } from '#kernel/fault.ts'
import type { Wire } from '../../proxy/api.ts'
import type { AgentStart } from '../../weaver/api.ts'
import type { NewLoop } from '../api.ts'
import { command } from './command.ts'
import { type Fillings, fill, toText } from './config-text.ts'
import type { Profile, WireChoice } from './profile.ts'
import { type AgentName, profiles } from './profiles.ts'
import { howToGet, type Programs } from './programs.ts'
import { promptPath, withPrompt } from './shell.ts'

export const agentFaults = {
  'agent/wire': { status: 422, text: 'The agent and the model speak no wire in common.' },
  'agent/missing': { status: 422, text: 'The agent is not on this machine.' },
} as const
const fault = createFaults<keyof typeof agentFaults>(agentFaults)

export type Task = {
  loop: NewLoop
  /** On which the loop's model is served: the proxy's knowledge. */
  wires: readonly Wire[]
  programs: Programs
}

const timerMsMax = 2 ** 31 - 1 // No daemon takes a longer one, and no sandbox lives as long.

export function toAgentStart(task: Task, timeMsMax: number): AgentStart {
  const { agent, prompt: content } = task.loop
  const { argv, env, files } =
    typeof agent === 'object' ? command(task.loop, agent.command) : byProfile(agent, task)
  const prompt = { path: promptPath, content }
  return { argv, env, files: [prompt, ...files], timeMsMax: Math.min(timeMsMax, timerMsMax) }
}

function byProfile(name: AgentName, { loop, wires, programs }: Task) {
  const profile = profiles[name]
  const found = programs.agents[name]
  if (!found) throw fault('agent/missing', { say: howToGet(profile) })
  const { base, api } = chooseWire(profile, wires)
  const { node, app } = programs
  const fillings: Fillings = { ours: { base, api, node, app }, theirs: { model: loop.model } }
  const fillOurs = (text: string) => fill(text, { ...fillings, theirs: {} })
  const run = found.run.map(fillOurs)
  const args = profile.args.map((text) => fill(text, fillings))
  const entries = [
    ...Object.entries(profile.env).map(([key, text]) => [key, fill(text, fillings)]),
    ...Object.entries(found.env).map(([key, text]) => [key, fillOurs(text)]),
  ]
  return {
    argv: withPrompt(profile, [...run, ...args]),
    env: Object.fromEntries(entries) as Record<string, string>,
    files: profile.files.map(({ path, format, content }) => {
      return { path, content: toText(format, content, fillings) }
    }),
  }
}

/** A model that is served on no wire at all is the proxy's to refuse, in its own words. */
function chooseWire({ title, wires }: Profile, served: readonly Wire[]): WireChoice {
  const choice = wires.find(({ wire }) => served.includes(wire))
  if (choice) return choice
  if (served.length === 0) return wires[0]!
  const speaks = wires.map(({ wire }) => wire).join(', ')
  const say = `${title} speaks ${speaks}; the model is served on ${served.join(', ')}. Choose another agent, or another model.`
  throw fault('agent/wire', { say })
}
