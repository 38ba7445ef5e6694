// What a daemon that its agent became may say of itself: words that any screen and any table takes, and nothing that is
// weaver's own to know.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Fault } from '#kernel/fault.ts'
import { DaemonState } from './agent-state.ts'
import { openPod, type PodClient } from './pod-client.ts'

const state = {
  ...{ state: 'ended', exit: 0, signal: null, cut: null, outputBytes: 3 },
  ...{ startedAt: '2026-01-01T00:00:00.000Z', endedAt: null },
}

describe('the words of a hostile daemon', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pod-client-'))
  let server: Server
  let pod: PodClient
  let says: { status: number; body: object }
  before(async () => {
    server = createServer((_request, response) =>
      response.writeHead(says.status).end(JSON.stringify(says.body)),
    )
    await once(server.listen(join(folder, 'pod.sock')), 'listening')
    pod = openPod(join(folder, 'pod.sock'))
  })
  after(async () => {
    await pod[Symbol.asyncDispose]()
    server.close()
    rmSync(folder, { recursive: true })
  })
  const ask = () => pod.json(DaemonState, { method: 'GET', path: '/agent' })

  test('are cleaned of what drives a screen or stops a database', async () => {
    for (const status of [409, 500]) {
      says = { status, body: { code: 'x\0', message: 'a\0b\x1b[2Jc\ud800\nd' } }
      await assert.rejects(ask, (error) => {
        assert.ok(error instanceof Fault)
        assert.match(error.publicMessage, /a b \[2Jc\ufffd d \[x \]$/)
        return true
      })
    }
  })

  test('about its agent are heard where they can be true', async () => {
    for (const more of [{}, { cut: 'stop' }, { cut: 'time', exit: null, signal: 'SIGKILL' }]) {
      says = { status: 200, body: { ...state, ...more } }
      assert.deepEqual(await ask(), says.body)
    }
  })

  for (const [title, more] of [
    ['that it met a limit of weaver’s', { cut: 'disk' }],
    ['that its sandbox is lost', { cut: 'lost' }],
    ['that its loop was idle', { cut: 'idle' }],
    ['a cut that no table holds', { cut: 'stop\0' }],
    ['an exit that no process has', { exit: 2 ** 40 }],
    ['a time with what no table holds', { endedAt: '\0' }],
  ] as const) {
    test(`are not believed where they say ${title}`, async () => {
      says = { status: 200, body: { ...state, ...more } }
      await assert.rejects(ask, { code: 'weaver/pod-failed' })
    })
  }
})
