// The sandbox's one agent: its life, its output, its end.
import type { AgentStart, AgentState } from '../weaver/api.ts'
import { prepareAgent } from './agent-start.ts'
import { absent, type Pod } from './pod.ts'
import { kill, killEverything } from './processes.ts'
import { type Pty, startPty } from './pty.ts'
import { createTail } from './tail.ts'

// | state   | enters when          | leaves when                                 |
// | ------- | -------------------- | ------------------------------------------- |
// | absent  | the daemon starts    | the agent is started                        |
// | running | the agent is started | its process ended; all that it left is dead |
// | ended   | its process ended    | never: a sandbox has one agent              |

export type Agent = Pick<Pty, 'type' | 'resize'> & {
  state(): AgentState
  ended: Promise<void>
  /** TERM, and after 3 s KILL. Resolves when it ended. */
  stop(cut: 'stop' | 'time'): Promise<void>
  /** The last bytes of its output. */
  output(bytesMax?: number): Buffer
  /** Calls back with each piece of output from now on, until the answer is called. */
  listen(listener: (chunk: Buffer) => void): () => void
}

const outputBytesMax = 4 * 1024 ** 2 // What a person scrolls back through; the conversation is kept elsewhere.
const termMs = 3_000

/** Throws a Fault where the agent can't start. */
export async function startAgent(pod: Pod, start: AgentStart): Promise<Agent> {
  const pty = startPty(await prepareAgent(pod, start))
  const state = { ...absent, state: 'running', startedAt: now() } as AgentState
  const { output, listen } = follow(pty)
  const killAll = () => {
    kill(-pty.pid, 'SIGKILL')
    killEverything(pod)
  }
  const ended = new Promise<void>((resolve) => {
    pty.onExit((exit, signal) => {
      clearTimeout(limit)
      killAll()
      Object.assign(state, { state: 'ended', exit, signal, endedAt: now() })
      resolve()
    })
  })
  const stop: Agent['stop'] = async (cut) => {
    if (state.state === 'ended') return
    state.cut ??= cut
    kill(-pty.pid, 'SIGTERM')
    const patience = setTimeout(killAll, termMs)
    await ended
    clearTimeout(patience)
  }
  const limit = setTimeout(() => void stop('time'), start.timeMsMax)

  return {
    state: () => ({ ...state, outputBytes: output.totalBytes }),
    ended,
    stop,
    output: (bytesMax) => output.last(bytesMax),
    listen,
    type: pty.type,
    resize: pty.resize,
  }
}

/** Never paused: output fills no queue here, for what is old falls out of the tail. */
function follow(pty: Pty) {
  const output = createTail(outputBytesMax)
  const listeners = new Set<(chunk: Buffer) => void>()
  pty.onBytes((chunk) => {
    output.push(chunk)
    for (const listener of listeners) listener(chunk)
  })
  const listen: Agent['listen'] = (listener) => {
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }
  return { output, listen }
}

const now = () => new Date().toISOString()
