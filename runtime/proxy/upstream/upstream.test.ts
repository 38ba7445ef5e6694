import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterEach, describe, test } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { createLookup } from '#kernel/address.ts'
import { until } from '../testing/stage.ts'
import { certificate, privateKey } from './testing/certificate.ts'
import { createUpstream, type Upstream } from './upstream.ts'

const body = Buffer.from('{}')
const request = { method: 'POST', path: '/v1/messages', headers: ['x-a', 'b'], body }
const lastByte = 0x21
const large = Buffer.concat([Buffer.alloc(100_000, 'x'), Buffer.from([lastByte])])
const whole = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'

describe('an upstream', () => {
  const ends: (() => void)[] = []
  afterEach(() => {
    for (const end of ends.splice(0)) end()
  })

  /** A server of raw bytes; `answer` is given each socket once a request's end has come. */
  async function startRaw(answer: (socket: Socket, count: number) => void) {
    const sockets: Socket[] = []
    const state = { seen: '', requests: 0 }
    const server = createServer((socket) => {
      sockets.push(socket)
      socket.on('error', () => {}) // It is told by 'close'.
      socket.setEncoding('latin1').on('data', (text: string) => {
        state.seen += text
        if (!text.endsWith('{}') && !text.endsWith('\r\n\r\n')) return
        state.requests += 1
        answer(socket, state.requests)
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    ends.push(() => {
      server.close()
      for (const socket of sockets) socket.destroy()
    })
    return { port: (server.address() as AddressInfo).port, sockets, state }
  }
  function open(port: number, more: object = {}): Upstream {
    const route = { host: '127.0.0.1', port, isTls: false, ca: null, proxy: null, connectMs: 2_000 }
    const lookup = createLookup(true)
    const upstream = createUpstream({
      route: { ...route, lookup, ...more },
      firstByteMs: 1_000,
      idleMs: 1_000,
    })
    ends.push(() => upstream.destroy())
    return upstream
  }
  function ask(upstream: Upstream, asked = request) {
    const told = { status: 0, text: '', raw: '', end: '' }
    const { promise, resolve } = Promise.withResolvers<typeof told>()
    const call = upstream.send(asked, {
      onStart: () => {},
      onHead: (head) => {
        told.status = head.status
      },
      onData: (payload, raw) => {
        told.text += payload.toString('latin1')
        told.raw += raw.toString('latin1')
      },
      onEnd: () => {
        told.end = 'whole'
        resolve(told)
      },
      onError: (error, sent) => {
        told.end = `${sent}: ${(error as Error & { code: string }).code}`
        resolve(told)
      },
    })
    return { call, told, done: promise }
  }

  for (const [title, answer, text, isKept] of [
    ['a length', whole, 'ok', true],
    [
      'chunks',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;a=b\r\no\r\n1\r\nk\r\n0\r\nx-t: 1\r\n\r\n',
      'ok',
      true,
    ],
    ['an answer without a body', 'HTTP/1.1 204 No Content\r\n\r\n', '', true],
    [
      'an answer that is not changed',
      'HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n',
      '',
      true,
    ],
    [
      'informational answers before it',
      `HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n${whole}`,
      'ok',
      true,
    ],
    ['a body up to the end of the connection', 'HTTP/1.1 200 OK\r\n\r\nok', 'ok', false],
    ['connection: close', whole.replace('OK\r\n', 'OK\r\nconnection: close\r\n'), 'ok', false],
    ['bytes after its end', `${whole}HTTP/1.1 200 OK\r\n`, 'ok', false],
    ['HTTP/1.0', whole.replace('1.1', '1.0'), 'ok', false],
  ] as const) {
    test(`${title} is read to its end, and the connection is ${isKept ? 'kept' : 'not kept'}, at every split`, async () => {
      for (const split of [answer.length, 1, 9, 20, answer.length - 1]) {
        const raw = await startRaw((socket) => {
          socket.setNoDelay(true).write(answer.slice(0, split))
          setTimeout(() => {
            socket.write(answer.slice(split))
            if (answer.endsWith('\r\n\r\nok') && !/length/.test(answer)) socket.end()
          }, 5)
        })
        const upstream = open(raw.port)
        const told = await ask(upstream).done
        assert.deepEqual([told.text, told.end], [text, 'whole'])
        assert.equal(upstream.counts().idle, Number(isKept))
        await until(() => upstream.counts().open === Number(isKept))
      }
    })
  }

  test('trailers are dropped and the framing before them passes', async () => {
    const raw = await startRaw((socket) =>
      socket.write(
        'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nset-cookie: x\r\n\r\n',
      ),
    )
    assert.equal((await ask(open(raw.port)).done).raw, '2\r\nok\r\n0\r\n\r\n')
  })

  for (const [title, head] of [
    ['two lengths', 'content-length: 2\r\ncontent-length: 2'],
    ['a length and chunks', 'content-length: 2\r\ntransfer-encoding: chunked'],
    ['another coding', 'transfer-encoding: gzip, chunked'],
    ['a folded header', 'x-a: 1\r\n 2'],
    ['a bare line feed', 'x-a: 1\nx-b: 2'],
    ['a length with a sign', 'content-length: +2'],
    ['an endless head', `x-a: ${'a'.repeat(70_000)}`],
  ] as const) {
    test(`an answer with ${title} is refused and its connection gone`, async () => {
      // What follows would be a body by either reading: it is the head that is refused.
      const rest = head.includes('chunked') ? '2\r\nok\r\n0\r\n\r\n' : 'ok'
      const raw = await startRaw((socket) =>
        socket.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n${rest}`),
      )
      const upstream = open(raw.port)
      assert.equal((await ask(upstream).done).end, 'maybe: malformed')
      await until(() => upstream.counts().open === 0)
    })
  }

  test('a connection is used again, and a byte on an idle one ends it', async () => {
    const raw = await startRaw((socket) => socket.write(whole))
    const upstream = open(raw.port)
    for (let i = 0; i < 5; i += 1) assert.equal((await ask(upstream).done).text, 'ok')
    assert.equal(raw.sockets.length, 1)
    raw.sockets[0]!.write('H')
    await until(() => upstream.counts().open === 0, 2_000) // Before its time as an idle one is over.
    assert.equal((await ask(upstream).done).text, 'ok')
    assert.equal(raw.sockets.length, 2)
  })

  test('an upstream that closes at the moment of reuse leaves it open what was done', async () => {
    const raw = await startRaw((socket, count) =>
      count === 1 ? socket.write(whole) : socket.destroy(),
    )
    const upstream = open(raw.port)
    await ask(upstream).done
    assert.equal((await ask(upstream).done).end, 'maybe: closed')
  })

  test('an answer before the end of the request is taken, and its connection not used again', async () => {
    const raw = await startRaw(() => {})
    const upstream = open(raw.port)
    const { told, done } = ask(upstream, { ...request, body: Buffer.alloc(32 * 1024 * 1024) })
    await until(() => raw.sockets.length === 1)
    raw.sockets[0]!.pause().write(whole.replace('200 OK', '413 Too Large'))
    await done
    assert.deepEqual([told.status, told.text, told.end], [413, 'ok', 'whole'])
    await until(() => upstream.counts().open === 0)
  })

  test('what was never written is told as such', async () => {
    assert.equal((await ask(open(1)).done).end, 'nothing: connect-failed')
    const port = (await startRaw(() => {})).port
    for (const bad of [
      { path: '/a b' },
      { headers: ['x', 'a\r\nb: c'] },
      { headers: ['x', '\u010a'] },
    ]) {
      assert.match((await ask(open(port), { ...request, ...bad }).done).end, /^nothing/)
    }
  })

  test('silence before the first byte and inside the answer has its time', async () => {
    const mute = await startRaw(() => {})
    assert.equal((await ask(open(mute.port)).done).end, 'maybe: first-byte-timeout')
    const still = await startRaw((socket) => socket.write(whole.slice(0, -1)))
    assert.equal((await ask(open(still.port)).done).end, 'maybe: idle-timeout')
  })

  test('connecting has its time, the handshake in it, and nothing was sent by then', async () => {
    const mute = await startRaw(() => {})
    const upstream = open(mute.port, { isTls: true, connectMs: 100 })
    const began = performance.now()
    assert.equal((await ask(upstream).done).end, 'nothing: connect-timeout')
    assert.ok(performance.now() - began < 1_500)
    await until(() => upstream.counts().open === 0)
  })

  test('an aborted call closes its connection at once and hears nothing more', async () => {
    const raw = await startRaw((socket) => socket.write(whole.slice(0, -1)))
    const upstream = open(raw.port)
    const { call, told } = ask(upstream)
    await until(() => told.status === 200)
    const began = performance.now()
    call.abort()
    await once(raw.sockets[0]!, 'close')
    assert.ok(performance.now() - began < 200)
    await until(() => upstream.counts().open === 0)
    assert.equal(told.end, '')
  })

  test('cut after every byte of the answer it is never taken for whole', async () => {
    for (let at = 0; at < whole.length; at += 1) {
      const raw = await startRaw((socket) => void socket.end(whole.slice(0, at)))
      assert.equal((await ask(open(raw.port)).done).end, 'maybe: closed')
    }
  })

  test('an outgoing proxy is given the whole address, or asked for a tunnel', async () => {
    const raw = await startRaw((socket) => socket.write(whole))
    const proxy = { host: '127.0.0.1', port: raw.port, authorization: 'Basic dTpw' }
    assert.equal((await ask(open(81, { host: 'vendor.test', proxy })).done).text, 'ok')
    assert.match(
      raw.state.seen,
      /^POST http:\/\/vendor\.test:81\/v1\/messages HTTP\/1\.1\r\nhost: vendor\.test:81\r\nproxy-authorization: Basic dTpw\r\n/,
    )
    const refusing = await startRaw((socket) =>
      socket.write('HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n'),
    )
    const tunnel = { host: 'vendor.test', isTls: true, proxy: { ...proxy, port: refusing.port } }
    assert.equal((await ask(open(443, tunnel)).done).end, 'nothing: connect-failed')
    assert.match(refusing.state.seen, /^CONNECT vendor\.test:443 HTTP\/1\.1\r\n/)
  })

  test('over TLS it trusts the authority it was given, for its name alone, and keeps its connection', async () => {
    let connections = 0
    const server = createTlsServer({ cert: certificate, key: privateKey }, (socket) => {
      connections += 1
      socket.on('error', () => {}) // It is told by 'close'.
      socket.on('data', () => socket.write(whole))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    ends.push(() => server.close())
    const { port } = server.address() as AddressInfo
    const lookup = createLookup(true, async () => [{ address: '127.0.0.1', family: 4 }])
    const tls = { isTls: true, host: 'vendor.test', lookup, ca: certificate }
    const trusting = open(port, tls)
    for (let i = 0; i < 3; i += 1) assert.equal((await ask(trusting).done).text, 'ok')
    assert.equal(connections, 1)
    for (const wrong of [{ ca: null }, { host: 'other.test' }]) {
      assert.equal(
        (await ask(open(port, { ...tls, ...wrong })).done).end,
        'nothing: connect-failed',
      )
    }
    // Through a tunnel it is the same.
    const proxyServer = createServer((client) => {
      client.on('error', () => {}) // It is told by 'close'.
      client.once('data', (head) => {
        assert.match(String(head), /^CONNECT vendor\.test:\d+ HTTP\/1\.1\r\n/)
        const onward = connect(port, '127.0.0.1', () => {
          client.write('HTTP/1.1 200 Connection Established\r\n\r\n')
          client.pipe(onward).pipe(client)
        })
        onward.on('error', () => client.destroy())
      })
    })
    proxyServer.listen(0, '127.0.0.1')
    await once(proxyServer, 'listening')
    ends.push(() => proxyServer.close())
    const proxy = {
      host: '127.0.0.1',
      port: (proxyServer.address() as AddressInfo).port,
      authorization: null,
    }
    const tunnelled = open(port, { ...tls, proxy })
    for (let i = 0; i < 2; i += 1) assert.equal((await ask(tunnelled).done).text, 'ok')
    assert.equal(tunnelled.counts().open, 1)
  })

  test('over TLS connections are kept for calls that come many at once, one after the other', async () => {
    let connections = 0
    const server = createTlsServer({ cert: certificate, key: privateKey }, (socket) => {
      connections += 1
      socket
        .on('error', () => {})
        .on('data', (data: Buffer) => {
          if (data.at(-1) === lastByte) socket.write(whole)
        })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    ends.push(() => server.close())
    const { port } = server.address() as AddressInfo
    const lookup = createLookup(true, async () => [{ address: '127.0.0.1', family: 4 }])
    const upstream = open(port, { isTls: true, host: 'vendor.test', lookup, ca: certificate })
    const keepAsking = async () => {
      for (let i = 0; i < 20; i += 1)
        assert.equal((await ask(upstream, { ...request, body: large }).done).text, 'ok')
    }
    await Promise.all(Array.from({ length: 8 }, keepAsking))
    assert.ok(connections <= 10, `${connections} connections`)
  })

  test('500 aborted and finished calls leave no connection', async () => {
    const raw = await startRaw((socket, count) => void (count % 2 === 0 && socket.write(whole)))
    const upstream = open(raw.port)
    const calls = Array.from({ length: 500 }, () => ask(upstream))
    await until(() => raw.state.requests === 500)
    for (const { call } of calls) call.abort()
    await upstream.close()
    assert.deepEqual(upstream.counts(), { open: 0, idle: 0 })
    const probe = connect(raw.port, '127.0.0.1')
    await once(probe, 'connect')
    probe.destroy()
    await until(() => raw.sockets.every((socket) => socket.destroyed || socket.closed))
  })
})
