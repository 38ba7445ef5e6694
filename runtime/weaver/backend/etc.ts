// The /etc that every sandbox sees: made once, read-only inside, and without anything of the host
// but what programs need to run. The rest is bound over it (`etcEntries` of the host).
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Host } from './host.ts'
import { inside } from './place.ts'

// A login shell resets PATH, and some agents run each command in one: so the profile says it again.
const profile = `PATH=${inside.readable}/node/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
export PATH
`
const files: Readonly<Record<string, string>> = {
  passwd: `root:x:0:0:root:/root:/usr/sbin/nologin
agent:x:1000:1000:agent:${inside.home}:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
`,
  group: 'root:x:0:\nagent:x:1000:\nnogroup:x:65534:\n',
  hosts: '127.0.0.1 localhost sandbox\n::1 localhost\n',
  hostname: 'sandbox\n',
  'host.conf': 'multi on\n',
  'resolv.conf': "# There is no name server: the only way out is the sandbox's own line.\n",
  'nsswitch.conf':
    'passwd: files\ngroup: files\nshadow: files\nhosts: files\nprotocols: files\nservices: files\n',
  shells: '/bin/sh\n/bin/bash\n',
  profile,
  'bash.bashrc': '',
  gitconfig: '[init]\n\tdefaultBranch = main\n',
}

export function makeEtc(folder: string, { etcEntries }: Pick<Host, 'etcEntries'>): void {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true, mode: 0o755 })
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(folder, name), text, { mode: 0o644 })
  }
  for (const name of etcEntries)
    makeMountPoint(join(folder, name), statSync(`/etc/${name}`).isDirectory())
}

function makeMountPoint(at: string, isFolder: boolean): void {
  mkdirSync(isFolder ? at : dirname(at), { recursive: true, mode: 0o755 })
  if (!isFolder) writeFileSync(at, '', { mode: 0o644 })
}
