// Commands are bounded in time and output; what they may touch is the sandbox's business.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Tool, Workplace } from './tool.ts'

const timeoutMsDefault = 120_000
const timeoutMsMax = 600_000
const endBytesMax = 16 * 1024 // Of each end of the output: the first and the last lines say most.
const closeMsMax = 500 // For the pipe, once the command has ended.

export const bash: Tool = {
  definition: {
    name: 'bash',
    description: `Runs a command with bash in the work folder. Answers its output, stdout and stderr \
together, and its exit code. It ends after timeout_ms (${timeoutMsDefault} unless told otherwise, at \
most ${timeoutMsMax}), and with it whatever it started. There is no input to answer questions from.`,
    input_schema: {
      type: 'object',
      properties: {
        command: { type: 'string', description: 'What bash shall run.' },
        timeout_ms: { type: 'integer', minimum: 1, description: 'Milliseconds it may take.' },
      },
      required: ['command'],
    },
  },
  show: ({ command }) => String(command),
  async run({ command, timeout_ms = timeoutMsDefault }, workplace) {
    const timeoutMs = Math.min(Number(timeout_ms), timeoutMsMax)
    const { ending, output } = await runBounded(String(command), timeoutMs, workplace)
    return { text: `${output}\n[${ending}]`.trimStart(), note: ending }
  },
}

async function runBounded(command: string, timeoutMs: number, { root, signal }: Workplace) {
  // A process group of its own, so that one signal reaches whatever the command started.
  const child = spawn('bash', ['-c', `exec 2>&1; ${command}`], {
    cwd: root,
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const output = createTail(endBytesMax)
  child.stdout!.on('data', output.push)
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  const cut = () => endGroup(child)
  limit.addEventListener('abort', cut)
  try {
    const [exit, killedBy] = (await once(child, 'exit')) as [number | null, string | null]
    const isCut = limit.aborted
    await closeOutput(child)
    signal.throwIfAborted()
    const ending = isCut ? `cut after ${timeoutMs} ms` : (killedBy ?? `exit ${exit}`)
    return { ending, output: output.text() }
  } finally {
    limit.removeEventListener('abort', cut)
    endGroup(child) // What it left in the background.
  }
}

/** Waits for the last bytes. A process that left the group may hold the pipe: then it is let go. */
async function closeOutput(child: ChildProcess): Promise<void> {
  endGroup(child)
  const stdout = child.stdout!
  if (!stdout.closed) await Promise.race([once(stdout, 'close'), sleep(closeMsMax)])
  stdout.destroy()
}

function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // The group is gone already.
  }
}

/** Keeps the first and the last bytes of any amount. */
function createTail(bytesMax: number) {
  let head = Buffer.alloc(0)
  let tail = Buffer.alloc(0)
  let left = 0
  return {
    push(chunk: Buffer) {
      const room = bytesMax - head.length
      head = room > 0 ? Buffer.concat([head, chunk.subarray(0, room)]) : head
      const over = Buffer.concat([tail, chunk.subarray(Math.max(room, 0))])
      tail = over.subarray(Math.max(0, over.length - bytesMax))
      left += over.length - tail.length
    },
    text: () => {
      const mark = left > 0 ? `\n[${left} bytes left out]\n` : ''
      return left > 0 ? head + mark + tail : Buffer.concat([head, tail]).toString()
    },
  }
}
