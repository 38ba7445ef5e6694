import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket, WebSocketServer } from 'ws'
import { watchLiveness } from './liveness.ts'

const roundMs = 100

describe('a socket that is watched', () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  before(() => once(server, 'listening'))
  after(() => server.close())

  async function connect(): Promise<{ near: WebSocket; far: WebSocket }> {
    const far = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`)
    const [[near]] = (await Promise.all([once(server, 'connection'), once(far, 'open')])) as [
      [WebSocket],
      unknown,
    ]
    return { near, far }
  }

  test('is left alone while its other side answers', async () => {
    using liveness = watchLiveness(roundMs)
    const { near, far } = await connect()
    liveness.watch(near)
    await sleep(8 * roundMs)
    assert.equal(near.readyState, WebSocket.OPEN)
    far.terminate()
  })

  test('is cut when its other side says nothing for two rounds', async () => {
    using liveness = watchLiveness(roundMs)
    const { near, far } = await connect()
    far.pause()
    liveness.watch(near)
    const [code] = await once(near, 'close', { signal: AbortSignal.timeout(5_000) })
    assert.equal(code, 1006)
    far.terminate()
  })

  test('is left alone while its other side takes bytes, however slowly', async () => {
    using liveness = watchLiveness(roundMs)
    const { near, far } = await connect()
    far.pause()
    const note = liveness.watch(near)
    for (let round = 0; round < 8; round += 1) {
      await sleep(roundMs)
      note()
    }
    assert.equal(near.readyState, WebSocket.OPEN)
    near.terminate()
    far.terminate()
  })
})
