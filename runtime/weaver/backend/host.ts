// What this machine has for isolation: looked up once, when the role starts.
import { execFile } from 'node:child_process'
import { existsSync, lstatSync, readlinkSync } from 'node:fs'
import { promisify } from 'node:util'
import type { WeaverConfig } from '../config.ts'
import { type CgroupParents, findCgroupParents } from './cgroups.ts'

const run = promisify(execFile)

const programs = ['bwrap', 'setpriv', 'unshare', 'prlimit', 'mount', 'pivot_root', 'ip'] as const
type Program = (typeof programs)[number]
const programFolders = ['/usr/bin', '/usr/sbin', '/bin', '/sbin']

export type Walls = 'bubblewrap' | 'unshare'
export type Host = {
  isRoot: boolean
  /** Null where none works; `wallProblems` then says why. Only isolation none is possible. */
  walls: Walls | null
  wallProblems: string
  programs: Readonly<Partial<Record<Program, string>>>
  /** `/bin` and the like: a link on merged systems, else a folder of its own. */
  rootEntries: readonly { path: string; target: string | null }[]
  /** What the sandbox's own /etc takes from the host's. */
  etcEntries: readonly string[]
  cgroups: CgroupParents | null
}

export async function findHost(config: Pick<WeaverConfig, 'backend' | 'cgroups'>): Promise<Host> {
  const found = Object.fromEntries(programs.flatMap((name) => findProgram(name) ?? []))
  const isRoot = process.getuid?.() === 0
  return {
    isRoot,
    ...(await chooseWalls(config.backend, found, isRoot)),
    programs: found,
    rootEntries: ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'].flatMap(toRootEntry),
    etcEntries: [
      'alternatives',
      'ssl/certs',
      'ssl/openssl.cnf',
      'pki',
      'ld.so.cache',
      'localtime',
    ].filter((name) => existsSync(`/etc/${name}`)),
    cgroups: config.cgroups === 'off' ? null : findCgroupParents(),
  }
}

function findProgram(name: Program): [[string, string]] | undefined {
  const path = programFolders.map((folder) => `${folder}/${name}`).find((at) => existsSync(at))
  return path === undefined ? undefined : [[name, path]]
}

function toRootEntry(path: string): { path: string; target: string | null }[] {
  if (!existsSync(path)) return []
  return [{ path, target: lstatSync(path).isSymbolicLink() ? readlinkSync(path) : null }]
}

// Each is tried for real: a kernel or its policy may forbid what the program can do.
const trials: Readonly<Record<Walls, { needs: readonly Program[]; argv: readonly string[] }>> = {
  bubblewrap: {
    needs: ['bwrap', 'setpriv', 'prlimit'],
    argv: [
      'bwrap',
      '--unshare-user',
      '--unshare-pid',
      '--unshare-net',
      '--disable-userns',
      '--ro-bind',
      '/',
      '/',
      'true',
    ],
  },
  unshare: {
    needs: ['unshare', 'setpriv', 'prlimit', 'mount', 'pivot_root', 'ip'],
    argv: ['unshare', '--user', '--map-root-user', '--mount', '--pid', '--net', '--fork', 'true'],
  },
}
const trialMsMax = 10_000
const nobody = 65_534 // As root the trial must not pass by root's powers.

async function chooseWalls(
  wanted: WeaverConfig['backend'],
  found: Host['programs'],
  isRoot: boolean,
): Promise<Pick<Host, 'walls' | 'wallProblems'>> {
  const problems: string[] = []
  for (const walls of ['bubblewrap', 'unshare'] as const) {
    if (wanted !== 'auto' && wanted !== walls) continue
    const problem = await tryWalls(walls, found, isRoot)
    if (problem === null) return { walls, wallProblems: '' }
    problems.push(`${walls}: ${problem}`)
  }
  return { walls: null, wallProblems: problems.join('; ') }
}

async function tryWalls(
  walls: Walls,
  found: Host['programs'],
  isRoot: boolean,
): Promise<string | null> {
  const { needs, argv } = trials[walls]
  const missing = needs.filter((name) => !found[name])
  if (missing.length > 0) return `${missing.join(', ')} not installed`
  const identity = isRoot ? { uid: nobody, gid: nobody } : {}
  try {
    await run(found[argv[0] as Program]!, argv.slice(1), {
      timeout: trialMsMax,
      cwd: '/',
      ...identity,
    })
    return null
  } catch (error) {
    return (error as { stderr?: string }).stderr?.trim() || String(error)
  }
}
