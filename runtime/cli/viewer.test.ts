import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import type { Context } from './command.ts'
import { createViewer } from './viewer.ts'

test('lines that break one after the other behind a slow terminal leave one listener, and the last one goes on', async () => {
  const stdout = new PassThrough({ highWaterMark: 4 })
  const context = { stdout, out: { note: () => {} } } as unknown as Context
  const viewer = createViewer(context, 'view', { onGreeting: () => {}, onLeave: () => {} })
  const resumed: number[] = []
  for (let line = 0; line < 12; line += 1) {
    assert.equal(
      viewer.onBytes(Buffer.from('many bytes'), () => resumed.push(line)),
      false,
    )
  }
  assert.equal(stdout.listenerCount('drain'), 1)
  stdout.resume()
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(resumed, [11])
})
