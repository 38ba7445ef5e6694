import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createDrains } from './drains.ts'

describe('an answer that runs on without its client', () => {
  test('is cut when its time is over, and not when it ended before', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const drains = createDrains({ msMax: 1_000, bytesMax: 10 })
    const cut: string[] = []
    drains.begin(() => cut.push('long'))
    drains.begin(() => cut.push('short'))!.over()
    t.mock.timers.tick(999)
    assert.deepEqual(cut, [])
    t.mock.timers.tick(1)
    assert.deepEqual(cut, ['long'])
  })

  test('is cut beyond its bytes', () => {
    const drains = createDrains({ msMax: 1_000, bytesMax: 10 })
    let cuts = 0
    const drain = drains.begin(() => {
      cuts += 1
      drain.over()
    })!
    for (const bytes of [4, 6]) drain.took(bytes)
    assert.equal(cuts, 0)
    drain.took(1)
    assert.equal(cuts, 1)
  })

  test('is cut when the process ends, after which none begins', () => {
    const drains = createDrains({ msMax: 1_000, bytesMax: 10 })
    let cuts = 0
    const drain = drains.begin(() => {
      cuts += 1
      drain.over()
    })!
    drains.close()
    assert.equal(cuts, 1)
    assert.equal(
      drains.begin(() => {}),
      null,
    )
  })
})
