// The second half of a pass: the gates, at the stored commit, in a clean checkout in a fresh sandbox without a way out.
// Cut short anywhere, all gates run again.

import type { z } from 'zod'
import type { NewSandbox } from '../../weaver/api.ts'
import type { Gate, GateResult } from '../api.ts'
import { bundleOf, setRef } from '../git/work.ts'
import { appendEvent } from '../sql/events.ts'
import type { PassRow } from '../sql/passes.ts'
import { toStorable } from '../text.ts'
import { clientDeps, elapsedMs, type Run } from './run.ts'
import { isRefusal, type SandboxClient, withSandbox } from './sandbox.ts'

type GateSpec = z.infer<typeof Gate>

const timerMsMax = 2 ** 31 - 1 // A timer of Node's holds no more.
const gateMsMax = 86_400_000 // No command of a sandbox may take longer.
const outputCharsMax = 8 * 1024 // The end of what a gate printed: where test runners sum up.

/** Fewer results than gates where the loop was cancelled or its time ended meanwhile. */
export async function runGates(run: Run, pass: PassRow): Promise<GateResult[]> {
  const { held, loop } = run
  const untilMs = Math.max(1, loop.spec.caps.time - elapsedMs(run))
  const late = new AbortController()
  // Not AbortSignal.timeout: that one outlives the gates, for hours.
  const deadline = setTimeout(() => late.abort(), Math.min(untilMs, timerMsMax))
  const until = AbortSignal.any([held.cancelled, late.signal])
  try {
    return await withSandbox(toNewSandbox(run, pass), clientDeps(run), (sandbox) =>
      runIn(run, sandbox, pass, until),
    )
  } finally {
    clearTimeout(deadline)
  }
}

const toNewSandbox = ({ loop }: Run, { pass, attempt }: PassRow): NewSandbox => ({
  org: loop.org,
  user: loop.user_id,
  purpose: 'gates',
  isolation: loop.spec.isolation,
  loop: loop.id,
  pass,
  attempt,
})

async function runIn(
  run: Run,
  sandbox: SandboxClient,
  pass: PassRow,
  until: AbortSignal,
): Promise<GateResult[]> {
  const { held, loop, work } = run
  const begun = { event: 'phase', pass: pass.pass, phase: 'gates', detail: sandbox.id } as const
  await held.write((tx) => tx.query(appendEvent(loop.id, begun)))
  await sandbox.checkout(pass.sha!, await bundleOf(work, pass.sha!))
  const results: GateResult[] = []
  for (const gate of loop.spec.gates) {
    const result = await runGate(sandbox, gate, until, held.signal)
    if (!result) break
    results.push(result)
  }
  return results
}

/** Undefined where `until` came before its end. */
async function runGate(
  sandbox: SandboxClient,
  { name, command, timeout }: GateSpec,
  until: AbortSignal,
  signal: AbortSignal,
): Promise<GateResult | undefined> {
  if (until.aborted) return undefined
  const argv = typeof command === 'string' ? ['/bin/sh', '-c', command] : command
  const began = performance.now()
  try {
    const { exit, ms, timedOut, output } = await sandbox.exec(
      { argv, env: {}, timeoutMs: Math.min(timeout, gateMsMax) },
      until,
    )
    return { name, exit, ms, timedOut, output: toStorable(output, outputCharsMax) }
  } catch (error) {
    signal.throwIfAborted()
    if (until.aborted) return undefined
    return toRed(name, error, Math.round(performance.now() - began))
  }
}

const refusedExit = 126 // As POSIX sh tells that a program could not be run.

/** What weaver refuses is this gate's doing: no such program, or a limit of the sandbox. Anything else is not. */
function toRed(name: string, error: unknown, ms: number): GateResult {
  if (!isRefusal(error)) throw error
  return { name, exit: refusedExit, ms, timedOut: false, output: error.publicMessage }
}

/** The work ref follows the stored commit, also after a pass that failed. */
export const advance = ({ work }: Run, sha: string) => setRef(work, 'work', sha)
