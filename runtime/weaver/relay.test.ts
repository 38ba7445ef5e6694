import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createVerifier } from '#kernel/tokens.ts'
import { testTrust } from '../testing/deps.ts'
import { newSandbox, startTestWeaver, type TestWeaver } from './testing.ts'

const model = {
  model: 'rehearsal/fix',
  provider: 'rehearsal',
  nanoUsdMax: 5_000_000,
  tokensMax: 1_000,
  team: 'search',
  lifeMs: 60_000,
}

// Says something, ends its own side, and prints what comes back.
const talk = (words: string) =>
  `node -e '
    const line = require("net").connect({ port: 7401, host: "127.0.0.1", allowHalfOpen: true })
    line.on("error", (e) => { console.log(e.code); process.exit(1) }).pipe(process.stdout)
    line.end("${words}")'`

describe("a sandbox's line", () => {
  const owned = new AsyncDisposableStack()
  const lines: Socket[] = []
  let weaver: TestWeaver
  let proxy: Server

  before(async () => {
    weaver = owned.use(await startTestWeaver({ config: { lineConnectionsMax: 4 } }))
    // Answers with all it was told once the other side has ended: that needs half-closed
    // connections all the way.
    proxy = createServer({ allowHalfOpen: true }, (socket) => {
      lines.push(socket)
      let heard = ''
      socket.on('error', () => {})
      socket.setEncoding('utf8').on('data', (chunk) => {
        heard += chunk
      })
      socket.on('end', () => socket.end(`heard ${heard}`))
    })
    proxy.listen(weaver.config.lineSocket)
    await once(proxy, 'listening')
    owned.defer(() => {
      for (const line of lines) line.destroy()
      proxy.close()
    })
  })
  after(() => owned.disposeAsync())

  test('says whose it is, then carries bytes both ways untouched', async () => {
    const [one, other] = [
      await weaver.create({ model }),
      await weaver.create({ model, loop: 'loop-2' }),
    ]
    for (const { id } of [one, other]) {
      const { output } = await weaver.exec(id, talk('hello'))
      assert.equal(output, `heard TREADLE-LINE 1 ${id}\nhello`)
    }
    await weaver.remove(one.id)
    await weaver.remove(other.id)
  })

  test('is absent from a sandbox without a model', async () => {
    const { id } = await weaver.create({ purpose: 'gates' })
    const { exit, output } = await weaver.exec(id, talk('hello'))
    assert.deepEqual([exit, output], [1, 'ECONNREFUSED\n'])
    await weaver.remove(id)
  })

  test('gives the agent alone a token, which names this sandbox and its limits', async () => {
    const { id } = await weaver.create({ model })
    const start = {
      argv: ['sh', '-c', 'echo "$TREADLE_TOKEN"; echo {{origin}}'],
      env: {},
      files: [],
      timeMsMax: 10_000,
    }
    await weaver.call('POST', `/api/sandboxes/${id}/agent`, start)
    await weaver.call('GET', `/api/sandboxes/${id}/agent?waitMs=10000`)
    const output = await (await weaver.call('GET', `/api/sandboxes/${id}/agent/output`)).text()
    const [token, origin] = output.trim().split('\r\n')
    const { lifeMs: _, ...may } = model
    const { org, user, loop, pass, attempt } = newSandbox
    const claims = await createVerifier('proxy', testTrust)(token!)
    assert.deepEqual(claims, { kind: 'sandbox', sub: id, org, user, loop, pass, attempt, ...may })
    assert.equal(origin, 'http://127.0.0.1:7401')
    assert.equal((await weaver.exec(id, 'echo "<$TREADLE_TOKEN>"')).output, '<>\n')
    await weaver.remove(id)
  })

  test('has a bounded number of connections', async () => {
    const { id } = await weaver.create({ model })
    const held = `node -e '
      const one = () => require("net").connect(7401, "127.0.0.1").on("error", () => {})
      for (let made = 0; made < 12; made++) one()
      setTimeout(() => process.exit(), 1000)'`
    const atOnce = lines.length
    await weaver.exec(id, held)
    assert.equal(lines.length - atOnce, 4)
    await weaver.remove(id)
  })

  test('is closed with the sandbox: what is open is cut, and nothing new can come', async () => {
    const { id } = await weaver.create({ model })
    const socketPath = join(weaver.config.runFolder, id, 'line', 'proxy.sock')
    assert.ok(existsSync(socketPath))
    const before = lines.length
    void weaver.exec(id, `node -e 'require("net").connect(7401, "127.0.0.1")'`).catch(() => {})
    while (lines.length === before) await sleep(20)
    const line = lines.at(-1)!
    // Cut, so perhaps with an error first.
    const closed = new Promise((resolve) => line.once('close', resolve))
    await weaver.remove(id)
    await closed
    assert.equal(existsSync(socketPath), false)
  })
})
