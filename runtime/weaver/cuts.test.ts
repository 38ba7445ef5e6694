// A line that is cut again and again, and a viewer who comes back by the offset: what was seen is what was written.
import assert from 'node:assert/strict'
import { createCipheriv } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import type { AgentState } from './api.ts'
import { until } from './testing/until.ts'
import { openViewer, type Viewer } from './testing/viewer.ts'
import { startTestWeaver, type TestWeaver } from './testing.ts'

const cutsMax = 200
const key = '000102030405060708090a0b0c0d0e0f'

/** As many random bytes as the agent below writes. */
const randomBytes = (length: number) =>
  createCipheriv('aes-128-ctr', Buffer.from(key, 'hex'), Buffer.alloc(16)).update(
    Buffer.alloc(length),
  )

// In pieces of random length, with pauses between, until a key is typed.
const writer = `
  const cipher = require('crypto').createCipheriv('aes-128-ctr', Buffer.from('${key}', 'hex'), Buffer.alloc(16))
  const write = () => process.stdout.write(cipher.update(Buffer.alloc(Math.random() * 6000 | 0)), () => {
    if (!isOver) setTimeout(write, Math.random() * 8)
  })
  let isOver = false
  process.stdin.once('data', () => { isOver = true })
  process.stdin.once('data', () => process.stdin.once('data', () => process.exit(0)))
  write()`

type Cut = { how: 'close' | 'terminate' | 'line'; afterBytes: number; pauseMs: number }

const cuts = fc.array(
  fc.record<Cut>({
    how: fc.constantFrom('close', 'terminate', 'line'),
    afterBytes: fc.nat(20_000),
    pauseMs: fc.nat(15),
  }),
  { minLength: cutsMax, maxLength: cutsMax },
)

test('200 random cuts lose no byte and double none', { timeout: 180_000 }, async (t) => {
  await using weaver = await startTestWeaver()
  await using line = await startLine(weaver)
  const seed = Math.trunc(Math.random() * 2 ** 31)
  t.diagnostic(`fast-check seed: ${seed}`)
  const [planned] = fc.sample(cuts, { seed, numRuns: 1 }) as [Cut[]]
  const { id } = await weaver.create()
  const argv = ['sh', '-c', `stty raw -echo; exec node -e '${writer.replaceAll("'", "'\\''")}'`]
  const start = { argv, env: {}, files: [], timeMsMax: 170_000 }
  assert.equal((await weaver.call('POST', `/api/sandboxes/${id}/agent`, start)).status, 202)

  const pieces: Buffer[] = []
  let search = ''
  let next = 0
  const open = async (): Promise<Viewer> => {
    const viewer = await openViewer(weaver, id, { search, url: line.url })
    assert.deepEqual([viewer.hello.gap, viewer.hello.offset], [0, next])
    return viewer
  }
  const leave = (viewer: Viewer) => {
    pieces.push(viewer.bytes())
    next = viewer.next()
    search = `?instance=${viewer.hello.instance}&offset=${next}`
  }
  for (const { how, afterBytes, pauseMs } of planned) {
    if (how === 'line') line.cutAfter(afterBytes)
    const viewer = await open().catch(() => undefined) // The line may be cut before it opens.
    if (!viewer) continue
    if (how !== 'line') {
      await until(() => viewer.bytes().length >= afterBytes)
      if (how === 'close') viewer.socket.close()
      else viewer.socket.terminate()
    }
    await viewer.closed
    leave(viewer)
    await sleep(pauseMs)
  }
  assert.equal(line.cuts(), planned.filter(({ how }) => how === 'line').length)
  const last = await open()
  if (last.hello.writer !== 'you') {
    last.say({ type: 'take' }) // A viewer that was cut off may not be missed yet.
    await last.told({ type: 'writer', writer: 'you' })
  }
  last.keys('.')
  const state = async () =>
    (await (await weaver.call('GET', `/api/sandboxes/${id}/agent`)).json()) as AgentState
  // It writes every few milliseconds until it has read the key: what stands still for so long has ended.
  await until(async () => {
    const seen = last.next()
    await sleep(500)
    return seen === last.next() && seen === (await state()).outputBytes
  }, 60_000)
  const total = last.next()
  leave(last)
  last.socket.terminate()
  t.diagnostic(`${total} bytes, ${pieces.length} viewers`)
  assert.ok(total > 500_000, String(total))
  assert.ok(Buffer.concat(pieces).equals(randomBytes(total)), `seed ${seed}`)
})

/** A way to the role that breaks at once, in the middle of whatever it carries. */
async function startLine(weaver: TestWeaver) {
  let leftBytes = Number.POSITIVE_INFINITY
  let cut = 0
  const open = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(Number(weaver.url.port), '127.0.0.1')
    const end = () => {
      near.destroy()
      far.destroy()
    }
    open.add(near)
    near
      .on('data', (data) => far.write(data))
      .on('close', end)
      .on('error', end)
    far
      .on('close', end)
      .on('error', end)
      .on('data', (data: Buffer) => {
        near.write(data.subarray(0, leftBytes))
        if (data.length < leftBytes) leftBytes -= data.length
        else {
          leftBytes = Number.POSITIVE_INFINITY
          cut += 1
          near.destroySoon()
        }
      })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    cuts: () => cut,
    cutAfter: (bytes: number) => {
      leftBytes = bytes
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      server.close()
    },
  }
}
