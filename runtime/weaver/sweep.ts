// Two rounds that keep the machine clean: a quick one that holds sandboxes to their limits, and a
// slow one that ends what is overdue and puts rows right.
import type { Logger } from '#kernel/log.ts'
import { startRepeating } from '#kernel/repeat.ts'
import type { Entry } from './entry.ts'
import { freeBytes, measureFolder } from './folders.ts'
import { endMembers } from './members.ts'
import type { Sandboxes, SandboxesDeps } from './sandboxes.ts'
import { forgetEnded, listLeftovers, listOverdue } from './sql/sandboxes.ts'
import { type Cut, isFarOver, look, planCut } from './watchdog.ts'

type Deps = Pick<SandboxesDeps, 'config' | 'db' | 'log' | 'now'> & { sandboxes: Sandboxes }

const batchMax = 100
const keepEndedMs = 30 * 24 * 3_600_000 // A month: what somebody may still ask about.
const sweepMs = 5_000 // Deadlines are hours; a few seconds more are nothing.

export const startWatch = (deps: Deps): AsyncDisposable =>
  startRepeating(() => watch(deps), deps.config.watchMs, deps.log)

export const startSweep = (deps: Deps): AsyncDisposable =>
  startRepeating(() => sweep(deps), sweepMs, deps.log)

async function watch(deps: Deps): Promise<void> {
  const { config, sandboxes } = deps
  // In one that is nobody's yet, nothing but our own daemon runs.
  const isHeld = ({ watched, sandbox, ending }: Entry) => watched && sandbox && !ending
  const watched = sandboxes.all().filter(isHeld)
  for (const entry of watched) look(entry.watched!, config)
  for (const entry of watched) await hold(deps, entry)
  if (watched.length > 0) await holdReserve(deps, watched)
}

async function hold(deps: Deps, entry: Entry): Promise<void> {
  const { config, sandboxes } = deps
  const { figures } = entry.watched!
  if (entry.cut && isFarOver(figures, entry.bytesAtCut, config))
    return sandboxes.end(entry.id, entry.cut)
  const isLate = entry.agentDeadline !== null && deps.now().getTime() > entry.agentDeadline
  const found = planCut(figures, config) ?? (isLate ? 'time' : null)
  if (found && !entry.cut) await cut(deps, entry, found)
}

/**
 * When the host's disk runs out, the sandbox with the most on it goes: also where no single one is
 * over its limit.
 */
async function holdReserve(deps: Deps, watched: readonly Entry[]): Promise<void> {
  if ((await freeBytes(deps.config.sandboxFolder)) >= deps.config.diskReserveBytes) return
  const size = (entry: Entry) => entry.watched!.figures.disk?.bytes ?? 0
  const [largest] = watched.toSorted((a, b) => size(b) - size(a))
  if (!largest) return
  if (largest.cut) await deps.sandboxes.end(largest.id, 'disk')
  else await cut(deps, largest, 'disk')
}

/**
 * Ends the agent and all it started, at once and from outside; the daemon goes on, so that the work
 * can be fetched.
 */
async function cut({ sandboxes, log }: Deps, entry: Entry, why: Cut): Promise<void> {
  entry.bytesAtCut = Number.POSITIVE_INFINITY // Until it is known.
  entry.cut = why
  log.info({ id: entry.id, cut: why }, 'cut')
  const isDone = await endMembers(entry.watched!.whose, entry.started!.spared)
  if (!isDone) return sandboxes.end(entry.id, why)
  entry.bytesAtCut = (await measureFolder(entry.place.folder))?.bytes ?? Number.POSITIVE_INFINITY
}

async function sweep({ db, now, sandboxes, log }: Deps): Promise<void> {
  for (const { id } of await db.any(listOverdue(now(), batchMax))) {
    await tryToEnd(sandboxes, id, 'deadline', log)
  }
  const unfinished = sandboxes.all().filter(({ endReason, ending }) => endReason && !ending)
  for (const { id, endReason } of unfinished) await tryToEnd(sandboxes, id, endReason!, log)
  const rows = await db.any(listLeftovers())
  for (const { id } of rows) if (!sandboxes.find(id)) await tryToEnd(sandboxes, id, 'lost', log)
  await db.query(forgetEnded(new Date(now().getTime() - keepEndedMs), batchMax))
}

const tryToEnd = (sandboxes: Sandboxes, id: string, reason: string, log: Logger) =>
  sandboxes
    .end(id, reason)
    .catch((error: unknown) => log.error({ error, id }, 'not ended; the next sweep tries again'))
