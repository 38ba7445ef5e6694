// The first half of a pass: a fresh sandbox, the agent in it, and its work as one checked commit.
// Cut short anywhere, it is done again as the next attempt, from the same commit; what it spent stays booked.
import { mkdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Fault } from '#kernel/fault.ts'
import { toNanoUsd } from '#kernel/units.ts'
import type { SandboxRecord } from '../../proxy/api.ts'
import type { NewSandbox } from '../../weaver/api.ts'
import { readLastWords } from '../agents/last-words.ts'
import { toAgentStart } from '../agents/start.ts'
import type { NewLoop } from '../api.ts'
import { bundleOf, countChanged, isSameTree, readPlan, takeBundle } from '../git/work.ts'
import { countOpenItems, toPlanItems } from '../plan.ts'
import { isPromised } from '../promise.ts'
import { appendEvent, type EventBody } from '../sql/events.ts'
import { putChanges, putRecording, wholeLoop } from '../sql/keepsakes.ts'
import { readHold } from '../sql/leases.ts'
import { readLoop } from '../sql/loops.ts'
import {
  enterGates,
  insertAttempt,
  insertPass,
  type PassRow,
  setAttempt,
  setSandbox,
} from '../sql/passes.ts'
import { toStorable } from '../text.ts'
import { toChangesOf } from './changes-of.ts'
import { clientDeps, EndsLoop, elapsedMs, Rests, type Run, SandboxLost, spentOf } from './run.ts'
import {
  isPodFailure,
  isRefusal,
  openSandbox,
  readWires,
  type SandboxClient,
  withSandbox,
} from './sandbox.ts'
import {
  type AgentEnd,
  type Attempt,
  finalRecord,
  isAgentsFault,
  isDenied,
  watchAgent,
} from './watch.ts'

const outputBytesMax = 256 * 1024 // What a person scrolls through.
const messageCharsMax = 16 * 1024
const errorCharsMax = 2_000
const tokenSlackMs = 120_000 // The token outlives the time cap by the agent's own end.

/** Opens the next attempt: of the pass that was cut short, or of a new one. Earlier attempts are booked first. */
export async function openAttempt(
  run: Run,
  open: PassRow | undefined,
  settled: number,
): Promise<Attempt> {
  const { held, loop } = run
  const next = open
    ? { pass: open.pass, attempt: open.attempt + 1 }
    : { pass: settled + 1, attempt: 1 }
  if (open?.sandbox) {
    await finalRecord(run, openSandbox(open.sandbox, clientDeps(run)), open)
  }
  await held.write(async (tx) => {
    if ((await tx.one(readHold(loop.id))).is_held) throw new Rests()
    await tx.query(insertPass(loop.id, next.pass))
    await tx.query(insertAttempt(loop.id, next.pass, next.attempt))
    await tx.query(setAttempt(loop.id, next.pass, next.attempt))
  })
  run.loop = await held.write((tx) => tx.one(readLoop(loop.id)))
  return next
}

/** From the commit `from` to the phase `gates`. */
export async function runAgent(run: Run, attempt: Attempt, from: string): Promise<void> {
  const name = `${run.loop.id}-${attempt.pass}-${attempt.attempt}.bundle`
  const file = join(run.folder, 'incoming', name)
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  try {
    const left = await withSandbox(toNewSandbox(run, attempt), clientDeps(run), (sandbox) =>
      letWork(run, sandbox, { attempt, from, file }),
    )
    const record = await finalRecord(run, openSandbox(left.sandbox, clientDeps(run)), attempt)
    await takeOver(run, { ...left, attempt, from, file, record })
  } finally {
    await rm(file, { force: true })
  }
}

function toNewSandbox(run: Run, { pass, attempt }: Attempt): NewSandbox {
  const { id, org, user_id: user, team, spec } = run.loop
  const spent = spentOf(run)
  const { usd, tokens, time } = spec.caps
  return {
    org,
    user,
    purpose: 'agent',
    isolation: spec.isolation,
    loop: id,
    pass,
    attempt,
    model: {
      model: spec.model,
      ...(team !== null && { team }),
      ...(spec.provider !== undefined && { provider: spec.provider }),
      ...(usd !== undefined && { nanoUsdMax: toNanoUsd(usd) - spent.nanoUsd }),
      ...(tokens !== undefined && { tokensMax: tokens - spent.tokens }),
      lifeMs: leftMs(run, time) + tokenSlackMs,
    },
  }
}

const leftMs = (run: Run, time: number) => Math.max(1, Math.ceil(time - elapsedMs(run)))

type Place = { attempt: Attempt; from: string; file: string }
type Left = AgentEnd & {
  sandbox: string
  output: Buffer
  recording: Buffer | undefined
  agentMs: number
  /** The commit in the bundle; undefined = nothing changed. */
  sha: string | undefined
  workRefused: string | null
}

/** What happens inside the sandbox. */
async function letWork(
  run: Run,
  sandbox: SandboxClient,
  { attempt, from, file }: Place,
): Promise<Left> {
  const { held, loop, work, programs } = run
  await held.write(async (tx) => {
    await tx.query(setSandbox(loop.id, attempt.pass, attempt.attempt, sandbox.id))
    await tx.query(appendEvent(loop.id, toPhase(attempt, 'sandbox', sandbox.id)))
  })
  await sandbox.checkout(from, await bundleOf(work, from))
  await start(sandbox, run, programs)
  await held.write((tx) => tx.query(appendEvent(loop.id, toPhase(attempt, 'agent'))))
  const began = performance.now()
  const end = await watchAgent(run, sandbox, attempt)
  const agentMs = Math.round(performance.now() - began)
  const output = await keepOutput(sandbox, end)
  const recording = await keepRecording(run, sandbox)
  const taken = await snapshot(sandbox, {
    from,
    file,
    message: toMessage(run, attempt),
    cut: end.cut,
  })
  return { ...end, ...taken, output, recording, agentMs, sandbox: sandbox.id }
}

/** Of an agent that was cut with its sandbox nothing is left to read. */
async function keepOutput(sandbox: SandboxClient, { cut }: AgentEnd): Promise<Buffer> {
  try {
    return await sandbox.output(outputBytesMax)
  } catch (error) {
    if (cut !== null && error instanceof Fault && error.code === 'weaver/ended')
      return Buffer.alloc(0)
    throw error
  }
}

/** A recording is a comfort: its absence fails nothing. */
async function keepRecording({ log, loop }: Run, sandbox: SandboxClient) {
  try {
    return await sandbox.recording()
  } catch (error) {
    log.info({ error, loop: loop.id }, 'the recording of an agent was not kept')
    return undefined
  }
}

const toPhase = (
  { pass, attempt }: Attempt,
  phase: 'sandbox' | 'agent',
  sandbox?: string,
): EventBody => ({
  event: 'phase',
  pass,
  phase,
  detail: sandbox === undefined ? `attempt ${attempt}` : sandbox,
})

async function start(sandbox: SandboxClient, run: Run, programs: Run['programs']): Promise<void> {
  const { spec } = run.loop
  try {
    const wires = await readWires(run.loop, clientDeps(run))
    const task = { loop: spec, wires, programs }
    await sandbox.startAgent(toAgentStart(task, leftMs(run, spec.caps.time)))
  } catch (cause) {
    // An agent may kill its daemon before that has said that the agent started.
    if (isPodFailure(cause) && (await sandbox.watch(0)).cut === 'lost') throw new SandboxLost()
    if (!isRefusal(cause)) throw cause
    throw new EndsLoop('failed', `The agent can't be started: ${cause.publicMessage}`, cause)
  }
}

function toMessage({ loop: { id, spec } }: Run, { pass }: Attempt): string {
  const agent = typeof spec.agent === 'string' ? spec.agent : 'command'
  const facts = [`Loop: ${id}`, `Agent: ${agent}`, `Model: ${spec.model}`]
  return `${spec.name}: pass ${pass}\n\n${facts.join('\n')}\n`
}

type Snap = { from: string; file: string; message: string; cut: string | null }

const outgrown = 'The work outgrew the limit on disk, and is left behind.'

async function snapshot(sandbox: SandboxClient, { from, file, message, cut }: Snap) {
  // What one sandbox could not hold, the next one can't be filled with.
  if (cut === 'disk') return { sha: undefined, workRefused: outgrown }
  try {
    return { sha: await sandbox.snapshot(from, message, file), workRefused: null }
  } catch (error) {
    if (!isAgentsFault(error, cut)) throw error
    return { sha: undefined, workRefused: error.publicMessage }
  }
}

type Leaving = Left & Place & { record: SandboxRecord | undefined }

/** Checks the work, takes it into the loop's repository, and stores what is known of the agent's part. */
async function takeOver(run: Run, left: Leaving): Promise<void> {
  const { held, loop, work } = run
  const { attempt, from, record } = left
  const { sha, workRefused } = await importWork(run, left)
  const { plan: path } = loop.spec
  const plan = path === undefined ? null : await readPlan(work, sha, path)
  const changes = await toChangesOf(run, from, sha)
  const lastMessage = toLastMessage(record, loop.spec.agent, left.output)
  const end = {
    sha,
    treeChanged: !(await isSameTree(work, from, sha)),
    filesChanged: sha === from ? 0 : await countChanged(work, from, sha),
    agentExit: left.exit,
    agentCut: left.cut,
    outcome: { ...toOutcome(record), exit: left.exit, cut: left.cut, workRefused },
    lastMessage,
    promised: isPromised(lastMessage, loop.spec.promise, loop.spec.prompt),
    openItems: path === undefined ? null : countOpenItems(plan),
    plan: path === undefined ? null : toPlanItems(plan),
    output: left.output,
    agentMs: left.agentMs,
  }
  await held.write(async (tx) => {
    const isNew = await tx.maybeOne(enterGates(loop.id, attempt.pass, end))
    if (!isNew) return
    const detail = `${sha} ${end.filesChanged} files`
    const { pass } = attempt
    if (changes) await tx.query(putChanges(loop.id, pass, changes.pass))
    if (changes) await tx.query(putChanges(loop.id, wholeLoop, changes.whole))
    if (left.recording) await tx.query(putRecording(loop.id, pass, left.recording))
    await tx.query(appendEvent(loop.id, { event: 'phase', pass, phase: 'commit', detail }))
  })
}

async function importWork({ work }: Run, { sha, from, file, workRefused }: Leaving) {
  if (sha === undefined || sha === from) return { sha: from, workRefused }
  try {
    await takeBundle(work, file, sha, from)
    return { sha, workRefused }
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'work/refused') throw error
    return { sha: from, workRefused: toStorable(error.publicMessage, errorCharsMax) }
  }
}

/** The last assistant message, where the agent's last answer was one: whole, and no call but that of a tool to end with. */
function toLastMessage(
  record: SandboxRecord | undefined,
  agent: NewLoop['agent'],
  output: Buffer,
): string | null {
  const last = record?.last
  if (!last || last.error !== null || last.state === 'denied') return null
  const text = last.toolCalls === 0 ? last.text : readLastWords(agent, output)
  return text === null ? null : toStorable(text, messageCharsMax)
}

function toOutcome(record: SandboxRecord | undefined) {
  const last = record?.last
  return {
    calls: record?.calls ?? 0,
    lastStatus: last?.status ?? null,
    lastError: last?.error ? toStorable(last.error, errorCharsMax) : null,
    retryAfterS: last?.retryAfterS ?? null,
    denial: record && isDenied(record) ? record.denial : null,
  }
}
