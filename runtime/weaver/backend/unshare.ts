// The walls by util-linux alone: unshare(1) and the script beside this file. No seccomp filter.
import type { StartFacts } from './plan.ts'

export function planUnshare(facts: StartFacts, daemon: readonly string[]): string[] {
  const { host, place, limits, etcFolder, readableFolder } = facts
  const links = host.rootEntries.map(({ path, target }) => `${path}=${target ?? ''}`)
  // In the order in which the script names them.
  const words = [
    ...[place.root, etcFolder, readableFolder, place.work, place.home, place.scratch],
    ...[place.pod, place.line, facts.codeCacheFolder],
    facts.purpose === 'fill-code-cache' ? 'bind' : 'read_only',
    ...[String(limits.temporaryBytesMax), links.join(' '), host.etcEntries.join(' ')],
  ]
  return [
    host.programs.unshare!,
    ...['--user', '--map-root-user', '--mount', '--pid', '--fork', '--kill-child=KILL'],
    ...['--net', '--ipc', '--uts', '--cgroup', '--propagation', 'private'],
    ...['/bin/sh', '-c', facts.script, 'walls', ...words, ...daemon],
  ]
}
