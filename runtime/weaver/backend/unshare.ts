// The walls by util-linux alone: unshare(1) and the script beside this file. No seccomp filter.
import type { StartFacts } from './plan.ts'

export function planUnshare(facts: StartFacts, daemon: readonly string[]): string[] {
  const { host, place, limits, etcFolder, readableFolder } = facts
  const links = host.rootEntries.map(({ path, target }) => `${path}=${target ?? ''}`)
  return [
    host.programs.unshare!,
    ...['--user', '--map-root-user', '--mount', '--pid', '--fork', '--kill-child=KILL'],
    ...['--net', '--ipc', '--uts', '--cgroup', '--propagation', 'private'],
    ...['/bin/sh', '-c', facts.script, 'walls'],
    ...[
      place.root,
      etcFolder,
      readableFolder,
      place.work,
      place.home,
      place.scratch,
      place.pod,
      place.line,
    ],
    ...[String(limits.temporaryBytesMax), links.join(' '), host.etcEntries.join(' ')],
    ...daemon,
  ]
}
