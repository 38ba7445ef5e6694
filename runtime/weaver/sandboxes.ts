// The sandboxes of this machine: made, handed out, ended. It decides nothing about who may ask.
import { randomBytes } from 'node:crypto'
import type { Logger } from '#kernel/log.ts'
import type { RoleDeps } from '#kernel/role.ts'
import type { Signer } from '#kernel/tokens.ts'
import { type ActivateDeps, activate, assertOrigin, prepareActivation } from './activate.ts'
import type { NewSandbox, Sandbox } from './api.ts'
import type { Backend } from './backend/backend.ts'
import type { WeaverConfig } from './config.ts'
import type { Entry } from './entry.ts'
import { fault } from './errors.ts'
import { readBounded } from './pod-client.ts'
import { createPool } from './pool.ts'
import { toLivingPid } from './processes.ts'
import { toSandbox } from './sandbox.ts'
import { insertStarting, setEnded, setProcess, setReady, setWarm } from './sql/sandboxes.ts'
import type { Uids } from './uids.ts'
import { type Cut, emptyFigures, lookAtProcesses, planCut } from './watchdog.ts'

export type SandboxesDeps = Pick<RoleDeps, 'db' | 'log' | 'now'> & {
  config: WeaverConfig
  backend: Backend
  sign: Signer
  uids: Uids
}
export type Sandboxes = AsyncDisposable & {
  /** A warm one when there is, else a new one. It is ready: measured and activated. */
  create(asked: NewSandbox): Promise<Sandbox>
  find(id: string): Entry | undefined
  all(): Entry[]
  /** Idempotent, in every state. Resolves when nothing of it is left. */
  end(id: string, reason: string): Promise<void>
  /** The limit that ended its agent or is about to, as far as can be known now. */
  cutOf(entry: Entry): Cut | null
}

const firstCommand = {
  method: 'POST',
  path: '/exec',
  json: { argv: ['true'], timeoutMs: 10_000 },
} as const
const firstAnswerBytesMax = 64 * 1024

export function createSandboxes(deps: SandboxesDeps): Sandboxes {
  const { config, backend, db, log, now, uids } = deps
  const entries = new Map<string, Entry>()
  const deadline = () => new Date(now().getTime() + config.lifeMsMax)
  const activation: ActivateDeps = { config, sign: deps.sign }
  const pool = createPool({ config, log, make: makeWarm, count: () => entries.size })
  let isClosed = false

  return {
    create,
    find: (id) => entries.get(id),
    all: () => [...entries.values()],
    end,
    cutOf,
    [Symbol.asyncDispose]: close,
  }

  async function create(asked: NewSandbox): Promise<Sandbox> {
    const warm = asked.isolation === 'namespaces' ? pool.take() : undefined
    const entry = warm ?? (await make(asked.isolation, asked))
    try {
      const times = { now: now(), deadline: deadline() }
      const [row] = await Promise.all([
        db.maybeOne(setReady(entry.id, asked, entry.started!.level, times)),
        warm ? activate(activation, entry, asked) : assertOrigin(entry.started!.origin, asked),
      ])
      if (!row) throw fault('weaver/ended', { detail: entry.endReason ?? 'its row is gone' })
      // Its first walk would begin beside its first command, in a folder that is still empty.
      entry.watched!.diskDueAt = performance.now() + config.watchMs
      entry.sandbox = toSandbox(row)
      return entry.sandbox
    } catch (error) {
      await end(entry.id, 'failed')
      throw error
    } finally {
      if (asked.isolation === 'namespaces') pool.refill()
    }
  }

  async function makeWarm(): Promise<Entry> {
    const entry = await make('namespaces')
    // Runs one command, so that the daemon has loaded what the first real one needs.
    try {
      await readBounded(await entry.started!.pod.call(firstCommand), firstAnswerBytesMax)
      await db.query(setWarm(entry.id, entry.started!.level))
      return entry
    } catch (error) {
      await end(entry.id, 'failed')
      throw error
    }
  }

  /** With `asked` it is activated while it starts. */
  async function make(isolation: NewSandbox['isolation'], asked?: NewSandbox): Promise<Entry> {
    if (isClosed) throw fault('weaver/full', { detail: 'the role is stopping' })
    if (entries.size >= config.sandboxesMax) throw fault('weaver/full')
    const entry = enter()
    try {
      entry.starting = start(entry, isolation, asked)
      await entry.starting
      return entry
    } catch (error) {
      await end(entry.id, 'failed')
      throw error
    }
  }

  function enter(): Entry {
    const id = randomBytes(8).toString('hex')
    const place = backend.place(id, uids.take())
    const entry: Entry = {
      ...{
        id,
        place,
        pid: null,
        pidStarted: null,
        starting: Promise.resolve(),
        started: null,
        watched: null,
        sandbox: null,
      },
      ...{ cut: null, bytesAtCut: 0, agentDeadline: null, line: null },
      ...{ endReason: null, ending: null },
    }
    entries.set(id, entry)
    return entry
  }

  async function start(
    entry: Entry,
    isolation: NewSandbox['isolation'],
    asked: NewSandbox | undefined,
  ): Promise<void> {
    const { id, place } = entry
    // Beside the start, not before it: what a crash leaves without a row has a folder (leftovers.ts).
    const written = db.query(insertStarting({ ...place, now: now(), deadline: deadline() }))
    const onProcess = async (pid: number, ticks: string) => {
      entry.pid = pid
      entry.pidStarted = ticks
      if (entry.ending) throw fault('weaver/ended', { detail: 'ended while it started' })
      await written
      await db.query(setProcess(id, pid, ticks))
    }
    const [, started] = await bothSettled(
      written,
      backend.start(place, {
        ...{ isolation, onProcess },
        ...(asked && { activation: () => prepareActivation(activation, entry, asked) }),
      }),
    )
    entry.started = started
    const whose = { ...place, pid: started.pid }
    const version = backend.host.cgroups?.version ?? 1
    entry.watched = { whose, version, folder: place.folder, figures: emptyFigures, diskDueAt: 0 }
    void started.ended.then(() => lose(entry))
  }

  /**
   * It ended by itself, or was killed from somewhere: that it met a limit is known only until its
   * groups are gone.
   */
  function lose(entry: Entry): void {
    if (entry.ending) return
    end(entry.id, cutOf(entry) ?? 'lost').catch((error: unknown) =>
      log.error({ error, id: entry.id }, 'not ended'),
    )
  }

  function cutOf(entry: Entry): Cut | null {
    if (entry.cut || !entry.watched || entry.ending) return entry.cut
    return planCut(lookAtProcesses(entry.watched), config)
  }

  async function end(id: string, reason: string): Promise<void> {
    const entry = entries.get(id)
    if (!entry) {
      await db.query(setEnded(id, reason, now()))
      return
    }
    entry.endReason ??= reason
    entry.ending ??= finish(entry)
    await entry.ending
  }

  async function finish(entry: Entry): Promise<void> {
    try {
      pool.drop(entry)
      await entry.line?.[Symbol.asyncDispose]() // First: from here on its token is worth nothing.
      await entry.starting.catch(() => {}) // Whoever started it hears why it failed.
      await backend.remove(entry.place, toLivingPid(entry.pid, entry.pidStarted))
      await entry.started?.pod[Symbol.asyncDispose]()
      await db.query(setEnded(entry.id, entry.endReason!, now()))
      entries.delete(entry.id)
      uids.giveBack(entry.place.uid)
    } catch (error) {
      entry.ending = null // The sweep tries again.
      throw error
    }
  }

  async function close(): Promise<void> {
    isClosed = true
    await pool[Symbol.asyncDispose]()
    const endings = [...entries.keys()].map((id) => end(id, 'shutdown'))
    for (const ending of await Promise.allSettled(endings)) {
      if (ending.status === 'rejected') logFailure(log, ending.reason)
    }
  }
}

/** Fails as the first of them, but not before both are over: whoever clears up after them is then alone. */
async function bothSettled<A, B>(a: Promise<A>, b: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([a, b])
  return Promise.all([a, b])
}

const logFailure = (log: Logger, error: unknown) =>
  log.error({ error }, 'a sandbox was not ended; the next start of this role does it')
