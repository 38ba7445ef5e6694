import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { Router } from 'express'
import { type Listening, listen } from '#kernel/http.ts'
import { createLog } from '#kernel/log.ts'
import { userClaims } from '../testing/deps.ts'
import { startEchoPeer } from '../testing/echo-peer.ts'
import { createForward } from './forward.ts'

let door: Listening
const held = new Set<string>()
const served = Promise.withResolvers<void>()
const owned = new AsyncDisposableStack()
before(async () => {
  const { url } = owned.use(await startEchoPeer('spool'))
  const forward = createForward({
    sign: async () => 'token',
    urls: new Map([['spool', url]]),
    lines: {
      hold: (session) => {
        held.add(session)
        return () => held.delete(session)
      },
      cut: () => {},
    },
    streamSilentMs: 1_000,
  })
  const router = Router().get('/api/loops', async (request, response, next) => {
    await once(response, 'close') // It takes so long to know who asks.
    const caller = { claims: userClaims(), session: 's', key: null }
    await forward.http(caller, 'spool')(request, response, next)
    served.resolve()
  })
  door = owned.use(await listen(router, 0, createLog('silent', process.stderr)))
})
after(() => owned.disposeAsync())

test('a browser that left while its session was looked up leaves nothing behind', async () => {
  const browser = connect(Number(door.url.port), '127.0.0.1')
  browser.write('GET /api/loops HTTP/1.1\r\nhost: a\r\n\r\n')
  await once(door.server, 'request')
  browser.destroy()
  await served.promise
  assert.deepEqual([...held], [])
})
