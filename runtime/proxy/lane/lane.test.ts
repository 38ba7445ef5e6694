import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Exchange } from '../exchange.ts'
import { until } from '../testing/stage.ts'
import { createTeller, startClient, startDoor, startGeneral } from './testing/door.ts'

const post = (body: string, more = '') =>
  `POST /v1/messages HTTP/1.1\r\nHost: x\r\n${more}content-length: ${body.length}\r\n\r\n${body}`

/** Answers without what differs by nature: how a header's name is written. */
const toPlain = (text: string) =>
  text
    .replace(/^(Connection|Keep-Alive|Date|Transfer-Encoding):/gim, (name) => name.toLowerCase())
    .replace(/keep-alive: timeout=\d+\r\n/g, '')
    .replace(/^date: .*\r\n/gm, '')
const toSorted = (text: string) => {
  const [head, ...rest] = toPlain(text).split('\r\n\r\n')
  return [head!.split('\r\n').sort().join('\r\n'), ...rest].join('\r\n\r\n')
}

describe('the lanes', () => {
  const owned = new Set<AsyncDisposable>()
  afterEach(async () => {
    for (const one of owned) await one[Symbol.asyncDispose]()
    owned.clear()
  })
  const use = <One extends AsyncDisposable>(one: One): One => {
    owned.add(one)
    return one
  }
  async function bothAnswer(bytes: string, isWhole = (got: string) => got.includes('\r\n\r\n')) {
    const answers = []
    for (const start of [startDoor, startGeneral]) {
      const teller = createTeller()
      const door = use(await start(teller.handle))
      const client = startClient(door.port)
      client.socket.write(bytes, 'latin1')
      await until(() => client.isClosed || isWhole(client.got))
      await sleep(20) // What comes too much comes now.
      client.socket.destroy()
      answers.push({ wire: toSorted(client.got), seen: teller.seen, left: teller.store.bytes })
    }
    return answers
  }

  for (const [title, bytes] of [
    ['a plain call', post('{"model":"m"}')],
    ['a call with an empty body', post('')],
    ['a question without a body', 'GET /v1/models?a=b HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['HEAD', 'HEAD / HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['a call that ends its connection', post('{}', 'Connection: close\r\n')],
    ['blanks around a value', post('{}', 'x-a:  \t b c \t \r\n')],
    ['an empty value', post('{}', 'x-a:\r\n')],
    ['bytes above ASCII in a value', post('{}', 'x-a: \xe9\xff\r\n')],
    ['the same header twice', post('{}', 'x-a: 1\r\nx-a: 2\r\n')],
    [
      'chunks',
      'POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
    ],
    ['HTTP/1.0', 'GET / HTTP/1.0\r\nhost: x\r\n\r\n'],
    ['another method', 'PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nx'],
    ['two hosts', 'GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n'],
    ['no host', 'GET / HTTP/1.1\r\n\r\n'],
    [
      'two lengths',
      `POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\n{}`,
    ],
    ['a length with a sign', 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: +2\r\n\r\n{}'],
    ['a length in two parts', 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2, 2\r\n\r\n{}'],
    [
      'a length and chunks',
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    [
      'a coding before chunks',
      'POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a folded header', 'GET / HTTP/1.1\r\nhost: x\r\nx-a: 1\r\n 2\r\n\r\n'],
    ['a blank before a colon', 'GET / HTTP/1.1\r\nhost : x\r\n\r\n'],
    ['bare line feeds', 'GET / HTTP/1.1\nhost: x\n\n'],
    ['a NUL in a value', 'GET / HTTP/1.1\r\nhost: x\r\nx-a: a\0b\r\n\r\n'],
    ['an absolute target', 'GET http://y/ HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['an empty line before the request', `\r\n${post('{}')}`],
  ] as const) {
    test(`${title} is the same exchange and the same answer in both`, async () => {
      const [both, general] = await bothAnswer(bytes)
      assert.deepEqual(both, general)
      assert.equal(both!.left, 0)
    })
  }

  test('split at every byte a call is the same call', async () => {
    const bytes = post('{"model":"m"}', 'x-a: b\r\n')
    const teller = createTeller()
    const door = use(await startDoor(teller.handle))
    await Promise.all(
      Array.from({ length: bytes.length - 1 }, async (_, at) => {
        const client = startClient(door.port)
        client.socket.setNoDelay(true).write(bytes.slice(0, at + 1))
        await sleep(10)
        client.socket.write(bytes.slice(at + 1))
        await until(() => client.got.endsWith('{"model":"m"}'))
        client.socket.destroy()
      }),
    )
    assert.equal(door.lanes.counts().fastCalls, bytes.length - 1)
    for (const told of teller.seen) assert.deepEqual(told, teller.seen[0])
  })

  test('pipelined requests are answered in their order, also over the border of the lanes', async () => {
    const teller = createTeller()
    const door = use(await startDoor(teller.handle))
    const client = startClient(door.port)
    const chunks =
      'POST /c HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\nc\r\n0\r\n\r\n'
    client.socket.write(post('a') + post('b') + chunks + post('d'))
    await until(() => client.got.endsWith('POST /v1/messages d'))
    assert.deepEqual(
      teller.seen.map(({ body }) => body),
      ['a', 'b', 'c', 'd'],
    )
    const { fastCalls, generalCalls, general } = door.lanes.counts()
    assert.deepEqual([fastCalls, generalCalls, general], [2, 2, 1])
    client.socket.destroy()
  })

  for (const [title, bytes, more] of [
    ['a head that never ends', 'POST /v1/mess', { headersMs: 300 }],
    ['a body that never ends', post('{}').slice(0, -1), { headersMs: 300, requestMs: 300 }],
    ['a slow head in the general lane', 'PUT / HTTP/1.1\r\nhost', { headersMs: 300 }],
  ] as const) {
    test(`${title} is answered with 408 and ended`, { timeout: 40_000 }, async () => {
      const teller = createTeller()
      const door = use(await startDoor(teller.handle, more))
      const client = startClient(door.port)
      client.socket.write(bytes)
      await until(() => client.isClosed, 35_000)
      assert.match(client.got, /^HTTP\/1\.1 408 /)
      assert.equal(teller.store.bytes, 0)
    })
  }

  test('an idle connection is closed, and one that never speaks', async () => {
    const teller = createTeller()
    const door = use(await startDoor(teller.handle, { keepAliveMs: 300, headersMs: 300 }))
    const [idle, mute] = [startClient(door.port), startClient(door.port)]
    idle.socket.write(post('{}'))
    await until(() => idle.isClosed && mute.isClosed)
    assert.match(idle.got, /200 OK/)
    assert.equal(mute.got, '')
    await until(() => door.lanes.counts().fast === 0)
  })

  test('a client that leaves is told to the call at once, once', async () => {
    const exchanges: Exchange[] = []
    let closes = 0
    const door = use(
      await startDoor((exchange) => {
        exchange.reply.onClose = () => {
          closes += 1
        }
        exchanges.push(exchange)
      }),
    )
    const client = startClient(door.port)
    client.socket.write(post('{}'))
    await until(() => exchanges.length === 1)
    client.socket.destroy()
    await until(() => closes === 1)
    await sleep(20)
    assert.equal(closes, 1)
  })

  test('an answer before the end of the body ends the connection after it', async () => {
    const door = use(await startDoor((exchange) => exchange.reply.send(401, [], 'no')))
    const client = startClient(door.port)
    client.socket.write(post('x'.repeat(100)).slice(0, -50))
    await until(() => client.isClosed)
    assert.match(client.got, /^HTTP\/1\.1 401 .*connection: close.*no$/s)
  })

  test('a client that reads nothing holds up the answer, and what is left of it is its own', async () => {
    const state = { drained: 0, isFull: false }
    const door = use(
      await startDoor(({ reply }) => {
        reply.begin(200, [], 'own')
        reply.onDrain = () => {
          state.drained += 1
          reply.end()
        }
        const block = Buffer.alloc(1024 * 1024)
        for (let i = 0; i < 32; i += 1) state.isFull = !reply.write(block, block)
      }),
    )
    const client = startClient(door.port)
    client.socket.pause()
    client.socket.write(post('{}'))
    await until(() => state.isFull)
    client.socket.resume()
    await until(() => client.got.endsWith('0\r\n\r\n'))
    assert.equal(state.drained, 1)
  })

  for (const [lane, bytes] of [
    ['fast', post('{}')],
    ['general', 'POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'],
  ] as const) {
    test(`a client that leaves the end of an answer unread is ended, in the ${lane} lane`, async () => {
      const answer = Buffer.alloc(16 * 1024 * 1024)
      const handle = ({ reply }: Exchange) => reply.send(200, [], answer)
      const door = use(await startDoor(handle, { stallMs: 300, keepAliveMs: 300 }))
      const client = startClient(door.port)
      client.socket.pause()
      client.socket.write(bytes)
      await until(() => door.lanes.counts()[lane] === 1)
      await until(() => door.lanes.counts()[lane] === 0)
      client.socket.destroy()
    })
  }

  test('draining ends idle connections at once and busy ones after their answer', async () => {
    const waiting: Exchange[] = []
    const door = await startDoor((exchange) => waiting.push(exchange))
    const [idle, busy] = [startClient(door.port), startClient(door.port)]
    busy.socket.write(post('{}'))
    await until(() => waiting.length === 1)
    const disposed = door[Symbol.asyncDispose]()
    await until(() => idle.isClosed)
    assert.equal(busy.isClosed, false)
    waiting[0]!.reply.send(200, [], 'done')
    await disposed
    assert.match(busy.got, /connection: close.*done$/s)
  })

  test('600 connections leave nothing behind', async () => {
    const teller = createTeller()
    const door = use(await startDoor(teller.handle))
    const clients = Array.from({ length: 600 }, () => startClient(door.port))
    for (const [index, { socket }] of clients.entries()) {
      if (index % 3 === 0) socket.write(post('{}').slice(0, -(index % 40) - 1))
      else socket.write(index % 3 === 1 ? post('{}') : 'PUT / HTTP/1.1\r\nhost: x\r\n\r\n')
    }
    await until(() => teller.seen.length === 400)
    for (const { socket } of clients) socket.destroy()
    await until(() => door.lanes.counts().fast + door.lanes.counts().general === 0)
    assert.equal(teller.store.bytes, 0)
  })
})
