// What an agent tries to reach from inside. Each attempt is a script, and the same script must
// succeed outside: else its failure inside would prove nothing.
import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Sandbox } from './api.ts'
import { startTestWeaver, type TestWeaver } from './testing.ts'

assert.equal(
  process.getuid?.(),
  0,
  'These controls need root: the network namespace, and files of other users.',
)

const connectTo = (target: string) =>
  `node -e '
    const socket = require("net").connect(${target}).on("connect", () => process.exit(0))
    socket.on("error", (e) => { console.log(e.code); process.exit(1) })'`

type Attempt = {
  title: string
  script: (facts: Facts) => string
  outside?: (script: string) => string[]
}
type Facts = { other: string; folder: string; port: number; databaseFolder: string; canary: string }

// The host has nothing at the metadata address, so the control gets a network of its own that has.
const withMetadata = (script: string) => [
  'unshare',
  '--net',
  'sh',
  '-c',
  `ip link set lo up; ip addr add 169.254.169.254/32 dev lo
   node -e 'require("net").createServer().listen(80, "169.254.169.254")' & server=$!
   for wait in 1 2 3 4 5 6 7 8 9 10; do sleep 0.2; if ${script}; then kill $server; exit 0; fi; done
   kill $server; exit 1`,
]

const attempts: Attempt[] = [
  {
    title: "another sandbox's workspace",
    script: ({ other, folder }) => `cat ${folder}/sandboxes/${other}/work/secret`,
  },
  {
    title: "another sandbox's daemon",
    script: ({ other, folder }) => connectTo(`"${folder}/run/${other}/pod/pod.sock"`),
  },
  {
    title: "the host's processes",
    script: ({ canary }) =>
      `for file in /proc/[0-9]*/cmdline; do
        [ "$(tr '\\0' ' ' < $file)" = "sleep ${canary} " ] && exit 0
      done; exit 1`,
  },
  {
    title: 'a server on loopback of the host',
    script: ({ port }) => connectTo(`${port}, "127.0.0.1"`),
  },
  {
    title: 'the metadata address',
    script: () => connectTo('80, "169.254.169.254"'),
    outside: withMetadata,
  },
  {
    title: "the database's socket",
    script: ({ databaseFolder }) => connectTo(`"${databaseFolder}/.s.PGSQL.5432"`),
  },
  { title: "the role's private files", script: ({ folder }) => `cat ${folder}/vault-key` },
  {
    title: 'writing to /usr',
    script: () => 'touch /usr/.treadle-written && rm /usr/.treadle-written',
  },
  {
    title: 'a new mount',
    script: () => 'd=$(mktemp -d) && mount -t tmpfs none "$d" && umount "$d"',
  },
  { title: 'a user namespace', script: () => 'unshare --user true' },
  { title: 'another name for the machine', script: () => 'hostname "$(hostname)"' },
]

// Only a filter stops these. Numbers of x86-64; Perl is the smallest program that makes any call.
const filtered: Attempt[] = [
  {
    title: 'a socket to the host of this virtual machine',
    script: () => `perl -e 'exit(syscall(41, 40, 1, 0) < 0)'`,
  },
  { title: 'tracing a process', script: () => `perl -e 'exit(syscall(101, 0, 0, 0, 0) < 0)'` },
]

// A URL of a Unix socket names its folder as the host, or in the query.
function databaseFolderOf(text: string): string {
  const url = new URL(text)
  return url.searchParams.get('host') ?? decodeURIComponent(url.hostname)
}

for (const backend of ['bubblewrap', 'unshare'] as const) {
  describe(`from inside ${backend}, an agent does not reach`, () => {
    const owned = new AsyncDisposableStack()
    let weaver: TestWeaver
    let sandbox: Sandbox
    let facts: Facts

    before(async () => {
      weaver = owned.use(await startTestWeaver({ config: { backend } }))
      sandbox = await weaver.create()
      const other = (await weaver.create({ loop: 'loop-2' })).id
      await weaver.exec(other, 'echo mine > /work/secret')
      const folder = join(weaver.config.sandboxFolder, '..')
      writeFileSync(join(folder, 'vault-key'), 'key', { mode: 0o600 })
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      owned.defer(() => void server.close())
      const canary = String(500_000_000 + process.pid)
      const sleeper = spawn('sleep', [canary])
      owned.defer(() => void sleeper.kill())
      const databaseFolder = databaseFolderOf(weaver.postgres.url('weaver'))
      facts = {
        other,
        folder,
        port: (server.address() as AddressInfo).port,
        databaseFolder,
        canary,
      }
    })
    after(() => owned.disposeAsync())

    for (const { title, script, outside } of [
      ...attempts,
      ...(backend === 'bubblewrap' ? filtered : []),
    ]) {
      test(title, async () => {
        const text = script(facts)
        const [file, ...args] = outside?.(text) ?? ['sh', '-c', text]
        const control = spawnSync(file!, args, { encoding: 'utf8' })
        assert.equal(control.status, 0, `outside: ${control.stderr}`)
        const { exit, output } = await weaver.exec(sandbox.id, text)
        assert.notEqual(exit, 0, `inside: ${output}`)
        assert.notEqual(exit, 127, `inside, the program is missing: ${output}`)
      })
    }

    test('anything by what it finds in environments and arguments', async () => {
      const script = 'cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr "\\0" "\\n"; env'
      const { output } = await weaver.exec(sandbox.id, script)
      assert.match(output, /TREADLE_POD|PATH=/)
      assert.doesNotMatch(output, /eyJ|postgres:|PRIVATE KEY|password/i)
    })

    test('a file outside by a link that it leaves for the removal', async () => {
      const mine = join(facts.folder, 'mine')
      execFileSync('mkdir', ['-p', mine])
      writeFileSync(join(mine, 'kept'), 'kept')
      const { id } = await weaver.create({ loop: 'loop-3' })
      const { exit, output } = await weaver.exec(
        id,
        `ln -s ${mine} /work/out; mkdir -p /work/closed/in; ln -s ${mine}/kept /work/closed/in/kept
         touch -- '/work/-rf' "$(printf '/work/new\\nline')" /work/closed/file
         cd /home/agent; name=deeeeeeeeeeeeeeeeeeeeeep
         i=0; while [ $i -lt 300 ]; do mkdir $name && cd $name; i=$((i+1)); done
         chmod 000 /work/closed`,
      )
      assert.equal(exit, 0, output)
      await weaver.remove(id)
      assert.deepEqual(readdirSync(mine), ['kept'])
      assert.equal(readdirSync(weaver.config.sandboxFolder).includes(id), false)
      rmSync(mine, { recursive: true })
    })

    test("another server by a link in the daemon's place", async () => {
      const { id } = await weaver.create({ loop: 'loop-4' })
      const otherSocket = join(weaver.config.runFolder, facts.other, 'pod/pod.sock')
      await weaver.exec(
        id,
        `rm /run/treadle/pod.sock && ln -s ${otherSocket} /run/treadle/pod.sock`,
      )
      const { output } = await weaver.exec(id, 'ls /work')
      assert.equal(output, '', 'the answer came from the other sandbox')
      const shown = await weaver.exec(facts.other, 'ls /work')
      assert.equal(shown.output, 'secret\n')
      await weaver.remove(id)
    })
  })
}
