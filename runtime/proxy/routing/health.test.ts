import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createHealth } from './health.ts'

function createClocked(chance = 0.5) {
  const clock = { ms: 1_000_000 }
  const health = createHealth(
    () => new Date(clock.ms),
    () => chance,
  )
  const wait = (ms: number) => {
    clock.ms += ms
  }
  const coolsMs = () => Math.max(0, health.coolingUntilMs('a') - clock.ms)
  return { health, wait, coolsMs }
}

describe('the health of a credential', () => {
  test('a dead key cools at its first failure, an overloaded one at its second', () => {
    const { health } = createClocked()
    health.note('a', 'dead-key', null)
    health.note('b', 'overloaded', null)
    assert.deepEqual(
      [health.isFit('a'), health.isDead('a'), health.isFit('b')],
      [false, true, true],
    )
    health.note('b', 'overloaded', null)
    assert.deepEqual([health.isFit('b'), health.isDead('b')], [false, false])
  })

  for (const [found, failures, ms] of [
    ['dead-key', 1, 30_000],
    ['rate-limited', 1, 2_000],
    ['busy', 1, 500],
    ['overloaded', 2, 2_000],
    ['unsent', 2, 1_000],
    ['failed', 3, 2_000],
    ['unanswered', 3, 2_000],
  ] as const)
    test(`${found} cools it for ${ms} ms after ${failures} in a row, and not before`, () => {
      const { health, coolsMs } = createClocked()
      for (let i = 1; i < failures; i += 1) health.note('a', found, null)
      assert.equal(coolsMs(), 0)
      health.note('a', found, null)
      assert.equal(coolsMs(), ms)
    })

  test('after its cool-down one call tries it, and no second one meanwhile', () => {
    const { health, wait } = createClocked()
    health.note('a', 'rate-limited', null)
    wait(2_500)
    assert.equal(health.show('a').state, 'half-open')
    assert.equal(health.isFit('a'), true)
    assert.equal(health.enter('a'), true)
    assert.equal(health.isFit('a'), false)
    health.note('a', null, null)
    health.leave('a', true)
    assert.deepEqual([health.show('a').state, health.isFit('a')], ['good', true])
  })

  test('a probe that fails cools it for twice as long, up to a most', () => {
    const { health, wait, coolsMs } = createClocked()
    const seen: number[] = []
    for (let i = 0; i < 8; i += 1) {
      health.note('a', 'rate-limited', null)
      seen.push(coolsMs())
      wait(coolsMs())
    }
    assert.deepEqual(seen, [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000])
  })

  test('a probe whose client left frees the place for another', () => {
    const { health, wait } = createClocked()
    health.note('a', 'dead-key', null)
    wait(60_000)
    const isProbe = health.enter('a')
    health.leave('a', isProbe)
    assert.equal(health.isFit('a'), true)
  })

  test('a call that began before does not end the probe of another', () => {
    const { health, wait } = createClocked()
    const old = health.enter('a')
    health.note('a', 'rate-limited', null)
    wait(2_500)
    health.enter('a')
    health.leave('a', old)
    assert.equal(health.isFit('a'), false)
  })

  test('a hundred calls that fail together count as one failure', () => {
    const { health, coolsMs } = createClocked()
    for (let i = 0; i < 100; i += 1) health.note('a', 'rate-limited', null)
    assert.deepEqual([health.show('a').failures, coolsMs()], [1, 2_000])
  })

  test('what the vendor asks for is kept to, within bounds', () => {
    const { health, coolsMs } = createClocked()
    health.note('a', 'rate-limited', 30_000)
    assert.equal(coolsMs(), 30_000)
    health.note('a', 'rate-limited', 86_400_000)
    assert.equal(coolsMs(), 600_000)
    const other = createClocked()
    other.health.note('a', 'rate-limited', 86_400_000)
    assert.equal(other.coolsMs(), 600_000)
  })

  test('a request that was bad says that the key is good', () => {
    const { health } = createClocked()
    health.note('a', 'dead-key', null)
    health.note('a', 'bad-request', null)
    assert.equal(health.isFit('a'), true)
  })

  test('cool-downs of many workers spread by a fifth', () => {
    const spread = [0, 1].map((chance) => {
      const { health, coolsMs } = createClocked(chance)
      health.note('a', 'dead-key', null)
      return coolsMs()
    })
    assert.deepEqual(spread, [27_000, 33_000])
  })

  test('a provider that is gone is forgotten once its calls have ended', () => {
    const { health } = createClocked()
    health.note('a', 'dead-key', null)
    const isProbe = health.enter('a')
    health.keep(new Set())
    assert.equal(health.show('a').class, 'dead-key')
    health.leave('a', isProbe)
    health.keep(new Set())
    assert.equal(health.show('a').class, null)
  })
})
