// Clients that read next to nothing, and peers that vanish without a word.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import type { ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { after, afterEach, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startPostgres } from '../testing/postgres.ts'
import type { Call } from './api.ts'
import { addBudget, assertQuiet, tightBodies } from './testing/quiet.ts'
import { clientKey, type Stage, startStage, until } from './testing/stage.ts'

const idleMs = 4_000
const slowClients = 5
const sentBytesMax = slowClients * 24 * 1024 * 1024 // What the kernel's buffers of two connections hold each, and little beside.
const body = '{"model":"m-1","stream":true,"messages":[]}'
const headers = { 'x-api-key': clientKey, 'content-type': 'application/json' }

describe('a peer that is silent', { timeout: 60_000 }, () => {
  const owned = new AsyncDisposableStack()
  let stage: Stage
  before(async () => {
    const postgres = owned.use(await startPostgres())
    const config = { ...tightBodies, idleMs: `${idleMs}ms` }
    stage = owned.use(await startStage({ postgres, config }))
    await stage.addProvider()
    await addBudget(stage, 'requests', 10_000)
  })
  after(() => owned.disposeAsync())
  afterEach(() => assertQuiet(stage, ['requests']))
  const post = () => fetch(new URL('/v1/messages', stage.url), { method: 'POST', headers, body })

  test('a client that reads ten bytes a second holds up its own upstream alone, and has its time', async () => {
    const sent = { bytes: 0 }
    const flood = Buffer.from(`data: {"type":"ping","x":"${'x'.repeat(16_000)}"}\n\n`)
    stage.upstream.state.aborted = []
    stage.upstream.state.script = (request, response) => {
      if (request.headers['x-slow'] === undefined) return response.end('{}')
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const pour = () => {
        do sent.bytes += flood.length
        while (response.write(flood))
      }
      response.on('drain', pour)
      pour()
    }
    const clients = Array.from({ length: slowClients }, startSlow)
    await until(() => sent.bytes > 1024 * 1024)
    for (let before = -1; before !== sent.bytes; await sleep(300)) before = sent.bytes
    assert.ok(sent.bytes < sentBytesMax, `${sent.bytes} bytes came from the upstreams`)
    assert.equal(stage.upstream.state.aborted.length, 0, 'they still have time')
    const began = performance.now()
    for (let calls = 0; calls < 10; calls += 1) assert.equal((await post()).status, 200)
    assert.ok(performance.now() - began < idleMs, 'others wait for nothing')

    await until(() => stage.upstream.state.aborted.length === slowClients, 3 * idleMs)
    const booked = async () => {
      const listed = await stage.admin('GET', '/api/calls?limit=50')
      const { items } = (await listed.json()) as { items: Call[] }
      return items.filter(
        ({ state, error }) => state === 'estimated' && error === 'the client left',
      )
    }
    await until(async () => (await booked()).length === slowClients)
    for (const stop of clients) stop()
  })

  /** Reads one byte at a time. */
  function startSlow() {
    const onread = { buffer: Buffer.alloc(1), callback: () => false }
    const socket = connect({ port: Number(stage.url.port), host: '127.0.0.1', onread })
    socket.on('error', () => {}) // A reset is how it ends.
    const more = `x-api-key: ${clientKey}\r\nx-slow: yes\r\ncontent-length: ${body.length}`
    socket.write(`POST /v1/messages HTTP/1.1\r\nhost: x\r\n${more}\r\n\r\n${body}`)
    const reading = setInterval(() => socket.resume(), 100)
    return () => {
      clearInterval(reading)
      socket.destroy()
    }
  }

  test('while an answer is waited for, the kernel asks both sides whether they are still there', async () => {
    const waiting: ServerResponse[] = []
    stage.upstream.state.script = (_request, response) => void waiting.push(response)
    const call = post()
    await until(() => waiting.length === 1)
    for (const side of [`sport = :${stage.url.port}`, `dport = :${stage.upstream.url.port}`]) {
      const shown = execFileSync('ss', ['-Htno', 'state', 'established', side], {
        encoding: 'utf8',
      })
      const sockets = shown.trim().split('\n')
      assert.ok(
        sockets.every((line) => line.includes('timer:(keepalive,')),
        shown,
      )
    }
    waiting[0]!.end('{}')
    assert.equal((await call).status, 200)
  })
})
