// A person at a loop's terminal through the whole of Treadle, on a line that breaks again and again.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createCipheriv } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer, text } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startAppliance, type TestAppliance } from './appliance.ts'
import { createDemoLoop } from './demo-loop.ts'

const bin = fileURLToPath(new URL('../cli/treadle.js', import.meta.url))
const cutsMax = 12
const key = '000102030405060708090a0b0c0d0e0f'

// Random bytes that the test can make as well, until somebody types.
const writer = `
  const cipher = require('crypto').createCipheriv('aes-128-ctr', Buffer.from('${key}', 'hex'), Buffer.alloc(16))
  let isOver = false
  process.stdin.once('data', () => { isOver = true })
  const write = () => process.stdout.write(cipher.update(Buffer.alloc(Math.random() * 1000 | 0)), () => {
    if (isOver) process.exit(0)
    else setTimeout(write, Math.random() * 20)
  })
  write()`
const script = `stty raw -echo; exec node -e '${writer.replaceAll("'", "'\\''")}'`

const owned = new AsyncDisposableStack()
let treadle: TestAppliance
let line: Awaited<ReturnType<typeof startLine>>
before(async () => {
  line = owned.use(await startLine(() => new URL(treadle.url)))
  const folder = mkdtempSync(join(tmpdir(), 'attach-'))
  owned.defer(() => rmSync(folder, { recursive: true }))
  const config = join(folder, 'config.yaml')
  writeFileSync(config, `auth:\n  publicUrls: ['${line.url}']\n`)
  treadle = owned.use(await startAppliance(`--config=${config}`))
})
after(() => owned.disposeAsync())

test('loop attach on a line that breaks shows every byte once, and loop replay shows them again', async () => {
  const work = join(treadle.state, 'work')
  mkdirSync(work)
  const { id } = await treadle.submit(
    await createDemoLoop(work, 'fix-adder', {
      agent: { command: ['/bin/sh', '-c', script], wire: 'anthropic' },
      gates: [{ name: 'any', command: ['true'] }],
      caps: { iterations: 1, time: '2m' },
    }),
  )
  const sandbox = await treadle.until('its agent', async () => {
    const [pass] = await treadle.passes(id)
    return pass?.phase === 'agent' && pass.sandbox
  })
  const watching = await untilAttached(() =>
    run('--url', line.url, '--key-file', join(treadle.state, 'owner.token'), 'loop', 'attach', id),
  )
  for (let cuts = 0; cuts < cutsMax; cuts += 1) await line.cutAfter(Math.random() * 8_000)
  const typing = run('--state', treadle.state, 'sandbox', 'attach', sandbox!, '--write')
  typing.child.stdin.write('.')
  const [seen, notes] = await Promise.all([watching.out, watching.notes])

  // A line that is cut while it opens is one break more for no word more.
  const backs = notes.match(/Back\. Nothing is missing\./g)?.length ?? 0
  assert.ok(backs >= cutsMax / 3, notes)
  assert.doesNotMatch(notes, /bytes of the output|another terminal/)
  assert.match(notes, /The agent has ended\./)
  const all = createCipheriv('aes-128-ctr', Buffer.from(key, 'hex'), Buffer.alloc(16)).update(
    Buffer.alloc(seen.length),
  )
  assert.ok(seen.length > 10_000 && seen.equals(all), String(seen.length))

  await treadle.ended(id)
  const replayed = run('--state', treadle.state, 'loop', 'replay', id, '--speed', '1000')
  const shown = new TextDecoder('utf-8', { ignoreBOM: true }).decode(all)
  assert.equal((await replayed.out).toString(), shown)
})

function run(...argv: string[]) {
  const child = spawn(process.execPath, [bin, ...argv], { stdio: ['pipe', 'pipe', 'pipe'] })
  return { child, out: buffer(child.stdout), notes: text(child.stderr) }
}

/** Between a pass's phase and its agent's start there is a moment without a terminal. */
async function untilAttached(start: () => ReturnType<typeof run>) {
  let why = ''
  for (let tries = 0; tries < 20; tries += 1) {
    const started = start()
    const first = await Promise.race([
      once(started.child.stdout, 'data').then(() => 'shown'),
      once(started.child, 'exit').then(() => 'refused'),
    ])
    if (first === 'shown') return started
    why = await started.notes
  }
  throw new Error(`The terminal did not open: ${why}`)
}

/** A way to the front door that can be cut in the middle of what it carries. */
async function startLine(to: () => URL) {
  let leftBytes = Number.POSITIVE_INFINITY
  let onCut = () => {}
  const open = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(Number(to().port), to().hostname)
    const end = () => {
      near.destroy()
      far.destroy()
    }
    open.add(near)
    near.on('data', (data) => far.write(data))
    near.on('close', end).on('error', end)
    far.on('close', end).on('error', end)
    far.on('data', (data: Buffer) => {
      near.write(data.subarray(0, leftBytes))
      leftBytes -= data.length
      if (leftBytes > 0) return
      leftBytes = Number.POSITIVE_INFINITY
      near.destroySoon()
      onCut()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Resolves once it is cut; the next connection is whole until the next call. */
    cutAfter: (bytes: number) =>
      new Promise<void>((cut) => {
        onCut = cut
        leftBytes = Math.ceil(bytes) + 1
      }),
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      server.close()
    },
  }
}
