// How each agent is started in a sandbox: data for the pod daemon, made from a loop. No agent gets a credential here:
// the sandbox's own token is in TREADLE_TOKEN, which the daemon sets.
import type { Wire } from '../../proxy/api.ts'
import type { AgentStart } from '../../weaver/api.ts'
import type { NewLoop } from '../api.ts'
import { builtin } from './builtin.ts'
import { codex } from './codex.ts'
import { command } from './command.ts'
import { pi } from './pi.ts'
import { promptPath } from './shell.ts'

/** Where Treadle's own programs lie, as the agent sees them. */
export type Programs = { node: string; app: string }

export type Task = {
  loop: NewLoop
  /** On which the loop's model is served: the proxy's knowledge. */
  wires: readonly Wire[]
  programs: Programs
}
export type Profile = Omit<AgentStart, 'timeMsMax'>

export function toAgentStart(task: Task, timeMsMax: number): AgentStart {
  const { argv, env, files } = toProfile(task)
  const prompt = { path: promptPath, content: task.loop.prompt }
  return { argv, env, files: [prompt, ...files], timeMsMax }
}

function toProfile(task: Task): Profile {
  const { agent } = task.loop
  if (typeof agent === 'object') return command(task, agent.command)
  return { builtin, pi, codex }[agent](task)
}
