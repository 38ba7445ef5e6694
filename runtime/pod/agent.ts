// The sandbox's one agent: its life, its output, its end.
import type { AgentStart, AgentState } from '../weaver/api.ts'
import { prepareAgent } from './agent-start.ts'
import { createMarks, type Size } from './marks.ts'
import { absent, type Pod } from './pod.ts'
import { kill, killEverything } from './processes.ts'
import { type Pty, startPty } from './pty.ts'
import { toRecording } from './recording.ts'
import { createTail, type Tail } from './tail.ts'

// | state   | enters when          | leaves when                                 |
// | ------- | -------------------- | ------------------------------------------- |
// | absent  | the daemon starts    | the agent is started                        |
// | running | the agent is started | its process ended; all that it left is dead |
// | ended   | its process ended    | never: a sandbox has one agent              |

export type Agent = Pick<Pty, 'type'> & {
  /** Names this terminal: offsets of another one mean nothing for its output. */
  instance: string
  state(): AgentState
  ended: Promise<void>
  /** TERM, and after 3 s KILL. Resolves when it ended. */
  stop(cut: 'stop' | 'time'): Promise<void>
  output: Omit<Tail, 'push'>
  /** All that is kept, as asciicast v2. */
  recording(bytesMax: number): Buffer
  size(): Size
  resize(size: Size): void
  /** Calls back when output came or the size changed, until the answer is called. */
  listen(listener: Listener): () => void
}
type Listener = { onOutput(): void; onSize(size: Size): void }

const outputBytesMax = 4 * 1024 ** 2 // What a person scrolls back through; the conversation is kept elsewhere.
const marksMax = 65_536 // 64 bytes of the output each, and 11 minutes of output without a pause.
const termMs = 3_000

/** Throws a Fault where the agent can't start. */
export async function startAgent(pod: Pod, start: AgentStart): Promise<Agent> {
  const pty = startPty(await prepareAgent(pod, start))
  const state = { ...absent, state: 'running', startedAt: now() } as AgentState
  const terminal = follow(pty)
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
    ...terminal,
    instance: process.hrtime.bigint().toString(36), // No sandbox outlives this machine's uptime.
    state: () => ({ ...state, outputBytes: terminal.output.totalBytes }),
    ended,
    stop,
    type: pty.type,
  }
}

/** Never paused: output fills no queue here, for what is old falls out of the tail. */
function follow(pty: Pty) {
  const output = createTail(outputBytesMax)
  const marks = createMarks(marksMax, () => performance.timeOrigin + performance.now())
  const listeners = new Set<Listener>()
  let size: Size = pty.size
  marks.note(0, size)
  pty.onBytes((chunk) => {
    marks.note(output.totalBytes, size)
    output.push(chunk)
    for (const { onOutput } of listeners) onOutput()
  })
  return {
    output,
    recording: (bytesMax: number) => toRecording(output, marks.list(), bytesMax),
    size: () => size,
    resize({ cols, rows }: Size) {
      if (cols === size.cols && rows === size.rows) return
      size = { cols, rows }
      pty.resize(cols, rows)
      marks.note(output.totalBytes, size)
      for (const { onSize } of listeners) onSize(size)
    },
    listen(listener: Listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

const now = () => new Date().toISOString()
