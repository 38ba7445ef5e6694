// Names of upstreams that lead nowhere, to a wrong place, or elsewhere the next time.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { after, before, beforeEach, describe, test } from 'node:test'
import { createLookup } from '#kernel/address.ts'
import { until } from '../testing/stage.ts'
import { ask } from './ask.ts'
import { createUpstream, type Upstream } from './upstream.ts'

type Found = { address: string; family: number }[]
const here: Found = [{ address: '127.0.0.1', family: 4 }]
const there: Found = [{ address: '127.0.0.2', family: 4 }]
const request = { method: 'POST', path: '/', headers: [], body: Buffer.from('{}') }

describe('the name of an upstream', () => {
  const sockets = new Set<Socket>()
  const met: string[] = []
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => {}) // It is told by 'close'.
    socket.on('data', () => {
      met.push(socket.localAddress!)
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
    })
  })
  let port = 0
  before(async () => {
    server.listen(0, '0.0.0.0')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  })
  after(() => server.close())
  beforeEach(() => {
    met.length = 0
  })

  async function withNames(
    allowPrivate: boolean,
    answers: (() => Promise<Found>)[],
    run: (upstream: Upstream, left: () => number) => Promise<void>,
  ) {
    const resolve = () => answers.shift()?.() ?? Promise.reject(new Error('asked once too often'))
    const lookup = createLookup(allowPrivate, resolve)
    const place = { host: 'vendor.test', port, isTls: false, ca: null, proxy: null }
    const route = { ...place, lookup, connectMs: 300 }
    const upstream = createUpstream({ route, firstByteMs: 1_000, idleMs: 1_000 })
    await run(upstream, () => answers.length)
    assert.deepEqual(upstream.counts().open - upstream.counts().idle, 0)
    upstream.destroy()
    await until(() => sockets.size === 0)
  }
  const failure = (upstream: Upstream) =>
    ask(upstream, request, 2_000).then(
      () => 'none',
      ({ name, code, message }) => `${name} ${code ?? message}`,
    )
  const absent = () =>
    Promise.reject(Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' }))

  test('that is unknown fails without a connection, and is asked for again at the next call', () =>
    withNames(true, [absent, async () => here], async (upstream) => {
      assert.equal(await failure(upstream), 'UpstreamError connect-failed')
      assert.equal(await failure(upstream), 'none')
      assert.deepEqual(met, ['127.0.0.1'])
    }))

  test('that nobody answers for has the time of a connection', () =>
    withNames(true, [() => new Promise(() => {})], async (upstream) => {
      assert.equal(await failure(upstream), 'UpstreamError connect-timeout')
    }))

  for (const [what, found] of [
    ['a private address', here],
    ['nothing', []],
    ['a public address and a private one', [{ address: '8.8.8.8', family: 4 }, ...here]],
  ] as const) {
    test(`that leads to ${what} is refused without a connection`, () =>
      withNames(false, [async () => [...found]], async (upstream) => {
        assert.match(await failure(upstream), /^AddressError /)
        assert.deepEqual(met, [])
      }))
  }

  test('is asked for once a connection, and the answer that was checked is where it goes', () =>
    withNames(true, [async () => here, async () => there], async (upstream, left) => {
      for (let calls = 0; calls < 3; calls += 1) assert.equal(await failure(upstream), 'none')
      assert.equal(left(), 1, 'a connection that is kept asks for no name')
      for (const socket of sockets) socket.destroy()
      await until(() => upstream.counts().open === 0)
      assert.equal(await failure(upstream), 'none')
      assert.deepEqual(met, ['127.0.0.1', '127.0.0.1', '127.0.0.1', '127.0.0.2'])
      assert.equal(left(), 0)
    }))

  test('that leads elsewhere the next time is checked anew', () =>
    withNames(false, [absent, async () => here, async () => there], async (upstream, left) => {
      assert.match(await failure(upstream), /connect-failed/)
      assert.match(await failure(upstream), /^AddressError /)
      assert.match(await failure(upstream), /^AddressError /)
      assert.deepEqual([met, left()], [[], 0])
    }))
})
