// The local backend: one machine's namespaces, cgroups and folders. It makes and unmakes sandboxes,
// and knows nothing of who asked for them or of the database.
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Activation } from '../../pod/api.ts'
import type { Level } from '../api.ts'
import type { WeaverConfig } from '../config.ts'
import { fault } from '../errors.ts'
import { makeFolders, removeFolder } from '../folders.ts'
import { parseReady, toLevel } from '../level.ts'
import { endAll, membersOf, toKey } from '../members.ts'
import { openPod, type PodClient } from '../pod-client.ts'
import { readProcess } from '../processes.ts'
import { applyStart } from './apply.ts'
import { applyCgroups, planCgroups, removeCgroups } from './cgroups.ts'
import { fillCodeCache, linkInto, makeCodeCache } from './code-cache.ts'
import { makeEtc } from './etc.ts'
import { findHost, type Host, type Walls } from './host.ts'
import { createPipes } from './pipes.ts'
import { type Place, podPipeName, podSocketName, toPlace } from './place.ts'
import { planStart } from './plan.ts'
import { isFiltered, toFilter } from './seccomp.ts'

export type Started = {
  place: Place
  backend: Level['backend']
  level: Level
  pod: PodClient
  pid: number
  /** Where the daemon says that the way out is, if it was activated. */
  origin: string | null
  /** What must go on when the agent is ended from outside: the walls and the daemon. */
  spared: ReadonlySet<string>
  /** Resolves when the daemon, and so the sandbox, is gone. */
  ended: Promise<void>
}

export type Backend = {
  host: Host
  place(id: string, uid: number | null): Place
  /**
   * Makes everything and measures it. What fails half-way is the caller's to `remove`.
   */
  start(place: Place, options: StartOptions): Promise<Started>
  /**
   * Compiles the daemon once, so that the next ones start sooner. The place is the
   * caller's to `remove`.
   */
  fillCodeCache(place: Place, signal: AbortSignal): Promise<void>
  /** Ends every process and removes every trace. May be called in any state, and again. */
  remove(place: Place, pid: number | null): Promise<void>
}
export type StartOptions = {
  isolation: 'namespaces' | 'none'
  /** Hears of the process before anything else happens to it. */
  onProcess: (pid: number, started: string) => Promise<unknown>
  /** Called once its folders are there; what it answers, the daemon is told before it is ready. */
  activation?: () => Promise<Activation>
}

// Beside the sandboxes' folders; no id looks like them.
const etcName = 'etc'
const codeCacheName = 'code-cache'
const pipesName = 'pipes'

export async function createBackend(config: WeaverConfig, privateFolder: string): Promise<Backend> {
  const host = await findHost(config)
  await mkdir(config.sandboxFolder, { recursive: true, mode: 0o711 })
  await mkdir(config.runFolder, { recursive: true, mode: 0o711 })
  const etcFolder = join(config.sandboxFolder, etcName)
  makeEtc(etcFolder, host)
  const codeCacheFolder = join(config.sandboxFolder, codeCacheName)
  makeCodeCache(codeCacheFolder)
  const pipes = createPipes(join(config.runFolder, pipesName))
  const filterFile = writeFilter(privateFolder)
  const script = readFileSync(new URL('./unshare.sh', import.meta.url), 'utf8')
  const { readableFolder } = config
  const given = { host, limits: config, readableFolder, etcFolder, codeCacheFolder, script }
  let isLinked = false

  return {
    host,
    place: (id, uid) => toPlace(config, { id, uid, cgroups: planCgroups(host.cgroups, id) }),
    async start(place, { isolation, onProcess, activation }) {
      const backend = isolation === 'none' ? 'none' : wallsOf(host)
      makeFolders(place)
      pipes.give(join(place.pod, podPipeName), place.uid)
      if (host.cgroups) applyCgroups(host.cgroups.version, place.cgroups, config)
      const filter = backend === 'bubblewrap' ? filterFile : null
      const hasFilter = filter !== null
      const purpose = activation ? 'serve-active' : 'serve'
      const daemon = applyStart(
        planStart({ ...given, place, backend, hasFilter, isLinked, purpose }),
        filter,
      )
      const known = onProcess(daemon.pid, readProcess(daemon.pid)?.started ?? '')
      const told = activation?.().then((said) => daemon.say(JSON.stringify(said)))
      const [words] = await Promise.all([within(daemon.ready, config.startMsMax), known, told])
      const { probes, origin } = parseReady(words)
      const spared = new Set(membersOf({ ...place, pid: daemon.pid }).map(toKey))
      const pod = openPod(join(place.pod, podSocketName))
      const limits = place.cgroups.length > 0 ? 'cgroup' : 'rlimits'
      const level = toLevel(probes, { backend, limits, hasFilter })
      return { place, backend, level, pod, pid: daemon.pid, origin, spared, ended: daemon.ended }
    },
    remove,
    async fillCodeCache(place, signal) {
      makeFolders(place)
      await linkInto(codeCacheFolder, readableFolder, signal)
      const walled = { place: { ...place, cgroups: [] }, backend: wallsOf(host), hasFilter: false }
      const facts = { ...given, ...walled, isLinked: true }
      const plan = planStart({ ...facts, purpose: 'fill-code-cache' })
      await fillCodeCache(plan, { folder: codeCacheFolder, uid: place.uid, signal })
      isLinked = true
    },
  }
}

function wallsOf({ walls, wallProblems }: Host): Walls {
  if (walls === null) throw fault('weaver/unavailable', { say: wallProblems })
  return walls
}

async function remove(place: Place, pid: number | null): Promise<void> {
  await endAll({ ...place, pid })
  await removeCgroups(place.cgroups)
  await removeFolder(place.runFolder)
  await removeFolder(place.folder)
}

/**
 * Null on a machine whose system calls we have no numbers for: then the level has no seccomp, and
 * says so.
 */
function writeFilter(folder: string): string | null {
  if (!isFiltered(process.arch)) return null
  const file = join(folder, 'seccomp.bpf')
  writeFileSync(file, toFilter(process.arch), { mode: 0o600 })
  return file
}

async function within<T>(ready: Promise<T>, msMax: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`not ready after ${msMax} ms`)), msMax)
  try {
    return await Promise.race([ready, late])
  } catch (cause) {
    throw fault('weaver/no-start', { cause, detail: String(cause) })
  } finally {
    clearTimeout(timer)
  }
}
