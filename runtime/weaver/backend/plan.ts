// What is run to start a sandbox: pure functions from facts to argv. Each layer hands on to the
// next by exec, so the process that is started keeps its id: join the cgroups, drop to the
// sandbox's user, raise the walls, set the process limits, run the daemon.
import { join } from 'node:path'
import type { Level } from '../api.ts'
import type { WeaverConfig } from '../config.ts'
import { planBubblewrap } from './bubblewrap.ts'
import type { Host } from './host.ts'
import {
  inside,
  lineSocketName,
  linkedName,
  type Place,
  podPipeName,
  podSocketName,
} from './place.ts'
import { planUnshare } from './unshare.ts'

// As pod/api.ts has it; a value of another role is not imported.
const proxyPort = 7401

export type StartFacts = {
  host: Host
  place: Place
  backend: Level['backend']
  limits: Pick<
    WeaverConfig,
    'memoryBytesMax' | 'processesMax' | 'openFilesMax' | 'fileBytesMax' | 'temporaryBytesMax'
  >
  readableFolder: string
  etcFolder: string
  /**
   * Compiled code of the daemon: read by every sandbox behind walls, and written by one run that
   * does nothing else.
   */
  codeCacheFolder: string
  /** Whether that folder has the daemon in one file, too. */
  isLinked: boolean
  /** `serve-active`: its activation is the first line that it reads. */
  purpose: 'serve' | 'serve-active' | 'fill-code-cache'
  /** Text of unshare.sh. */
  script: string
  hasFilter: boolean
}
export type StartPlan = { argv: string[]; env: Record<string, string> }

export function planStart(facts: StartFacts): StartPlan {
  const daemon = [...planProcessLimits(facts), ...planDaemon(facts)]
  const walled = { bubblewrap: planBubblewrap, unshare: planUnshare, none: planNoWalls }[
    facts.backend
  ]
  return {
    argv: [...planJoin(facts.place.cgroups), ...planDrop(facts), ...walled(facts, daemon)],
    env: planEnvironment(facts),
  }
}

const planNoWalls = (_facts: StartFacts, daemon: readonly string[]) => [...daemon]

/** From the first instruction on, all of it counts. A group that can't be joined ends the start. */
function planJoin(cgroups: readonly string[]): string[] {
  if (cgroups.length === 0) return []
  const script = 'IFS=:; for file in $0; do echo $$ > "$file" || exit 70; done; exec "$@"'
  return ['/bin/sh', '-c', script, cgroups.map((folder) => join(folder, 'cgroup.procs')).join(':')]
}

/** Before any namespace: mapped from root, the sandbox's user would be root outside. */
function planDrop({ host, place: { uid } }: StartFacts): string[] {
  const identity = uid === null ? [] : [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups']
  const bounds =
    uid === null ? [] : ['--bounding-set=-all', '--inh-caps=-all', '--ambient-caps=-all']
  return [host.programs.setpriv!, ...identity, ...bounds, '--no-new-privs', '--pdeathsig=KILL']
}

// Node 26 does not start with 400 MiB, and does with 600. The watchdog counts what is filled.
const dataBytesMin = 1024 ** 3

/**
 * Limits of each single process, and what stands in for a cgroup. They are set inside the walls,
 * for the kernel counts RLIMIT_NPROC in each user namespace apart (since 5.14): outside, it would
 * count whatever else an ordinary user runs. Memory is bounded by RLIMIT_DATA, not RLIMIT_AS: V8
 * reserves far more addresses than it fills.
 */
function planProcessLimits({ host, backend, place, limits }: StartFacts): string[] {
  const hasCgroups = place.cgroups.length > 0
  const countsApart = backend !== 'none' || place.uid !== null
  return [
    host.programs.prlimit!,
    '--core=0',
    `--fsize=${limits.fileBytesMax}`,
    `--nofile=${limits.openFilesMax}`,
    ...(hasCgroups ? [] : [`--data=${Math.max(limits.memoryBytesMax, dataBytesMin)}`]),
    ...(hasCgroups || !countsApart ? [] : [`--nproc=${limits.processesMax}`]),
  ]
}

function planDaemon(facts: StartFacts): string[] {
  const { readable } = pathsSeen(facts)
  const isLinked = facts.isLinked && facts.backend !== 'none'
  const script = isLinked
    ? join(inside.codeCache, linkedName)
    : join(readable, 'app/runtime/pod/main.ts')
  const flags = facts.purpose === 'fill-code-cache' ? ['--warm'] : planFlags(facts)
  return [join(readable, 'node/bin/node'), script, ...flags]
}

function planFlags(facts: StartFacts): string[] {
  const { work, home, pod, line } = pathsSeen(facts)
  return [
    ...['--socket', join(pod, podSocketName), '--line', join(line, lineSocketName)],
    ...['--pipe', join(pod, podPipeName), '--work', work, '--home', home],
    ...(facts.purpose === 'serve-active' ? ['--active'] : []),
    ...(facts.backend === 'none' ? [] : ['--proxy-port', String(proxyPort), '--own-pid-namespace']),
  ]
}

const systemFolders = '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin'

/**
 * The daemon hands on PATH, LANG and TMPDIR to what it starts, and no other. No secret is among
 * them.
 */
function planEnvironment(facts: StartFacts): Record<string, string> {
  const { readable, home, scratch } = pathsSeen(facts)
  return {
    PATH: `${join(readable, 'node/bin')}:${systemFolders}`,
    HOME: home,
    LANG: 'C.UTF-8',
    TMPDIR: scratch,
    // Its entries go by path and uid, which are the same behind all walls, and by nothing else.
    ...(facts.backend !== 'none' && { NODE_COMPILE_CACHE: inside.codeCache }),
  }
}

type Seen = Record<Exclude<keyof typeof inside, 'codeCache'>, string>

function pathsSeen({ backend, place, readableFolder }: StartFacts): Seen {
  if (backend !== 'none') return inside
  const { work, home, scratch, pod, line } = place
  return { readable: readableFolder, work, home, scratch, pod, line }
}
