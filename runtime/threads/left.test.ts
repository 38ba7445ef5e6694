import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createTestDeps, serviceClaims, type TestDeps } from '../testing/deps.ts'
import { startPostgres } from '../testing/postgres.ts'
import { startThreads } from './role.ts'
import { turnLinesType } from './turn-lines.ts'

const owned = new AsyncDisposableStack()
let deps: TestDeps
let url: URL
/** Who asks waits here. */
let door: Promise<void> = Promise.resolve()
before(async () => {
  const postgres = owned.use(await startPostgres())
  deps = owned.use(await createTestDeps('threads', { postgres }))
  const { verify } = deps
  deps.verify = async (token) => {
    await door
    return verify(token)
  }
  const config = { port: 0, retentionMs: 86_400_000, sweepMs: 60_000 }
  url = owned.use(await startThreads(config, deps)).url
})
after(() => owned.disposeAsync())

test('senders that leave while they are asked who they are take no place of others', async () => {
  const send = async (signal?: AbortSignal) =>
    fetch(new URL('/internal/turns', url), {
      method: 'POST',
      headers: {
        authorization: `Bearer ${await deps.tokenFor(serviceClaims('proxy'))}`,
        'content-type': turnLinesType,
      },
      body: 'no turn',
      ...(signal && { signal }),
    })
  const { promise, resolve: open } = Promise.withResolvers<void>()
  door = promise
  const leaving = AbortSignal.timeout(300)
  await Promise.allSettled(Array.from({ length: 10 }, () => send(leaving)))
  await sleep(200) // Until the server knows.
  open()
  await sleep(200)
  assert.equal((await send()).status, 400)
})
