import type { Exec, ExecResult } from '../weaver/api.ts'
import { fault } from './errors.ts'
import type { Pod } from './pod.ts'
import { run } from './run.ts'

const outputBytesMax = 64 * 1024
const execsMax = 8 // A person's hands and a loop's gates; more is a mistake, or an attack.

/** Runs a command in the workspace. It never gets the sandbox's token. */
export async function exec(pod: Pod, { argv, env, timeoutMs }: Exec, signal: AbortSignal) {
  if (pod.execs >= execsMax) throw fault('pod/busy', { say: `At most ${execsMax} commands.` })
  pod.execs += 1
  try {
    const ran = await run({
      argv,
      cwd: pod.work,
      env: { ...pod.env, ...env },
      timeoutMs,
      outputs: 'together',
      outputBytesMax,
      signal,
    })
    const { exit, ms, timedOut, output, outputBytes } = ran
    return { exit, ms, timedOut, output: toText(output), outputBytes } satisfies ExecResult
  } finally {
    pod.execs -= 1
  }
}

/** Without the rest of a character that the cut went through (at most three bytes, RFC 3629). */
function toText(tail: Buffer): string {
  let start = 0
  while (start < 3 && (tail[start]! & 0xc0) === 0x80) start += 1
  return tail.subarray(start).toString()
}
