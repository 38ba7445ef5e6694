// What sandboxes can be made of here. Namespaces are tried, not guessed from settings: any of several can forbid them.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Finding } from './findings.ts'

type Program = {
  name: string
  command: string
  state: 'weaker' | 'missing'
  cost: string
  debianPackage: string
}

const programs: readonly Program[] = [
  {
    name: 'git',
    command: 'git',
    state: 'missing',
    cost: 'no repository can be read',
    debianPackage: 'git',
  },
  {
    name: 'unshare',
    command: 'unshare',
    state: 'missing',
    cost: 'no sandbox can be made',
    debianPackage: 'util-linux',
  },
  {
    name: 'setpriv',
    command: 'setpriv',
    state: 'missing',
    cost: 'a sandbox could not give up its rights',
    debianPackage: 'util-linux',
  },
  {
    name: 'ip',
    command: 'ip',
    state: 'weaker',
    cost: 'without bubblewrap an agent can’t reach the proxy: loopback stays down in its namespace',
    debianPackage: 'iproute2',
  },
  {
    name: 'bubblewrap',
    command: 'bwrap',
    state: 'weaker',
    cost: 'sandboxes are made by unshare, without the seccomp filter',
    debianPackage: 'bubblewrap',
  },
]

const runMsMax = 10_000

function run(command: string, args: readonly string[]) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    timeout: runMsMax,
  })
  const said = (status === 0 ? stdout : stderr) || error?.message || `exit ${status}`
  return { isGood: status === 0, said: said.trim().split('\n')[0]! }
}

export const findPrograms = (): Finding[] =>
  programs.map(({ name, command, state, cost, debianPackage }) => {
    const { isGood, said } = run(command, command === 'ip' ? ['-Version'] : ['--version'])
    if (isGood) return { name, state: 'good', detail: said }
    return { name, state, detail: 'not found', cost, fix: `apt-get install ${debianPackage}` }
  })

const trials = [
  {
    name: 'namespaces',
    command: 'unshare',
    args: [
      '--user',
      '--map-root-user',
      '--mount',
      '--pid',
      '--fork',
      '--net',
      '--ipc',
      '--uts',
      'true',
    ],
    state: 'missing',
    cost: 'no sandbox can be made; only loops with `isolation: none` can run',
  },
  {
    name: 'bwrap, tried',
    command: 'bwrap',
    args: ['--unshare-all', '--ro-bind', '/', '/', '--dev', '/dev', '--proc', '/proc', 'true'],
    state: 'weaker',
    cost: 'sandboxes are made by unshare, without the seccomp filter',
  },
] as const

const namespaceFix =
  'as root: sysctl kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000; in a container, allow them or start it privileged'

export const findNamespaces = (): Finding[] =>
  trials.map(({ name, command, args, state, cost }) => {
    const { isGood, said } = run(command, args)
    if (isGood) return { name, state: 'good', detail: 'made user, mount, pid, net, ipc and uts' }
    return { name, state, detail: said, cost, fix: namespaceFix }
  })

export function findCgroup(): Finding {
  const name = 'cgroup'
  const writable = cgroupFolders().filter(isWritable)
  if (writable.length > 0) return { name, state: 'good', detail: `${writable.join(' ')} writable` }
  return {
    name,
    state: 'weaker',
    detail: 'none is writable for this user',
    cost: 'memory and processes are limited by rlimits and a watchdog, which act later',
    fix: 'run as root, or with systemd: systemd-run --user --scope -p Delegate=yes npm start',
  }
}

/** One's own cgroup in version 2; the memory and pids trees in version 1. */
function cgroupFolders(): string[] {
  const root = '/sys/fs/cgroup'
  if (!existsSync(join(root, 'cgroup.controllers'))) {
    return ['memory', 'pids'].map((tree) => join(root, tree)).filter((path) => existsSync(path))
  }
  const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '/'
  return [join(root, own)]
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false // Absent, read-only or another user's: all the same here.
  }
}
