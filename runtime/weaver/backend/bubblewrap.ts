// The walls by bubblewrap. bwrap(1), 0.8 or newer for --disable-userns.
import { inside } from './place.ts'
import type { StartFacts } from './plan.ts'

/** The descriptor on which the filter is handed over. */
export const filterDescriptor = 3

// /dev/shm: what a browser or a test's lock needs; it counts as memory.
const sharedMemoryBytesMax = 64 * 1024 * 1024

export const planBubblewrap = (facts: StartFacts, daemon: readonly string[]): string[] => [
  facts.host.programs.bwrap!,
  ...namespaces,
  ...planSystem(facts),
  ...planOwn(facts),
  ...(facts.hasFilter ? ['--seccomp', String(filterDescriptor)] : []),
  '--',
  ...daemon,
]

// Inside, the user is 1000 of a namespace that maps nobody else, and may make no further
// namespaces.
const namespaces = [
  ...['--unshare-user', '--disable-userns', '--uid', '1000', '--gid', '1000'],
  ...['--unshare-ipc', '--unshare-pid', '--unshare-net', '--unshare-uts', '--unshare-cgroup'],
  ...['--hostname', 'sandbox', '--die-with-parent', '--new-session', '--cap-drop', 'ALL'],
]

const planSystem = ({ host, etcFolder, readableFolder }: StartFacts): string[] => [
  ...['--ro-bind', '/usr', '/usr'],
  ...host.rootEntries.flatMap(({ path, target }) =>
    target === null ? ['--ro-bind', path, path] : ['--symlink', target, path],
  ),
  ...['--ro-bind', etcFolder, '/etc'],
  ...host.etcEntries.flatMap((name) => ['--ro-bind', `/etc/${name}`, `/etc/${name}`]),
  ...['--ro-bind', readableFolder, inside.readable],
  ...['--proc', '/proc', '--dev', '/dev'],
  ...['--size', String(sharedMemoryBytesMax), '--tmpfs', '/dev/shm', '--remount-ro', '/dev'],
]

const planOwn = ({ place, limits, codeCacheFolder, purpose }: StartFacts): string[] => [
  ...['--perms', '1777', '--size', String(limits.temporaryBytesMax), '--tmpfs', '/tmp'],
  ...['/home', '/run', '/var'].flatMap((folder) => ['--perms', '0755', '--dir', folder]),
  ...['--bind', place.work, inside.work, '--bind', place.home, inside.home],
  ...['--bind', place.scratch, inside.scratch],
  ...['--bind', place.pod, inside.pod, '--ro-bind', place.line, inside.line],
  ...[purpose === 'fill-code-cache' ? '--bind' : '--ro-bind', codeCacheFolder, inside.codeCache],
  ...['--remount-ro', '/', '--chdir', inside.work],
]
