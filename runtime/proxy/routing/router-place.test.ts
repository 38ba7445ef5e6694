import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Refusal } from '../refusal.ts'
import { asked, caller, createWorld, provider, route, scoped } from './testing/plain.ts'

const refusedWith = (code: string) => (thrown: unknown) =>
  thrown instanceof Refusal && thrown.code === code
const signed = Buffer.from('{"model":"m-1","messages":[{"type":"thinking","signature":"EqQB"}]}')

describe('affinity', () => {
  const weighted = route({ strategy: 'weighted' })
  const go = (world: ReturnType<typeof createWorld>, affinity: string, body?: Buffer) => {
    const { plan } = world.router.plan(asked({ affinity, ...(body && { body }) }))
    plan.answered(200)
    plan.close()
    return plan.choice.provider.name
  }

  test('calls of one session go to one target, and many sessions to all', () => {
    const world = createWorld({ routes: [weighted] })
    const first = Array.from({ length: 50 }, (_, i) => go(world, `session:${i}`))
    const again = Array.from({ length: 50 }, (_, i) => go(world, `session:${i}`))
    assert.deepEqual(again, first)
    assert.equal(new Set(first).size, 3)
    const worker = createWorld({ routes: [weighted] })
    assert.deepEqual(
      Array.from({ length: 50 }, (_, i) => go(worker, `session:${i}`)),
      first,
    )
  })

  test('a session that had to move stays where it was answered last', () => {
    const world = createWorld({ routes: [weighted] })
    const home = go(world, 'session:1')
    world.health.note(`id-${home}`, 'rate-limited', null)
    const away = go(world, 'session:1')
    assert.notEqual(away, home)
    world.clock.ms += 60_000
    assert.equal(go(world, 'session:1'), away)
  })

  test('a signed conversation goes where it was answered, even while that cools', () => {
    const world = createWorld({ routes: [weighted] })
    const home = go(world, 'session:1')
    world.health.note(`id-${home}`, 'rate-limited', null)
    assert.equal(go(world, 'session:1', signed), home)
  })

  test('where it is off, sessions are spread call by call', () => {
    let at = 0
    const random = () => {
      at += 0.37
      return at % 1
    }
    const routes = [route({ strategy: 'weighted', affinity: 'off' })]
    const world = createWorld({ routes, random })
    const seen = new Set(Array.from({ length: 50 }, () => go(world, 'session:1')))
    assert.equal(seen.size, 3)
  })

  test('least-busy goes to the idlest by weight', () => {
    const targets = [{ provider: 'a', weight: 2 }, { provider: 'b' }]
    const { router, health } = createWorld({ routes: [route({ strategy: 'least-busy', targets })] })
    for (let i = 0; i < 2; i += 1) health.enter('id-b')
    for (let i = 0; i < 3; i += 1) health.enter('id-a')
    assert.equal(router.plan(asked()).plan.choice.provider.name, 'a')
    health.enter('id-a')
    assert.equal(router.plan(asked()).plan.choice.provider.name, 'b')
  })

  test('a stored response is gone on from where it is stored, or nowhere', () => {
    const world = createWorld({ routes: [weighted] })
    const to = (storedAt: string) => world.router.plan(asked({ storedAt })).plan
    for (const name of ['a', 'b', 'c']) assert.equal(to(name).choice.provider.name, name)
    assert.throws(() => to('gone'), refusedWith('provider/none'))
    const plain = createWorld()
    const { plan } = plain.router.plan(asked({ storedAt: 'c' }))
    assert.equal(plan.choice.provider.name, 'c')
  })
})

describe('what a policy asks of the provider', () => {
  const providers = [
    provider('us', { region: 'us' }),
    provider('eu', { region: 'eu' }),
    provider('quiet', { region: 'eu', retention: ['zdr'] }),
  ]
  const to = (...policies: Parameters<typeof scoped>[0][]) => {
    const { router } = createWorld({ providers, scoped: policies.map((one) => scoped(one)) })
    return router.plan(asked()).plan.choice.provider.name
  }

  test('the region and the labels decide who is in', () => {
    assert.equal(to({}), 'us')
    assert.equal(to({ regions: ['eu'] }), 'eu')
    assert.equal(to({ retention: ['zdr'] }), 'quiet')
    assert.equal(to({ regions: ['eu', 'us'] }, { regions: ['eu'] }), 'eu')
  })

  test('with nobody in it is refused by name', () => {
    assert.throws(() => to({ regions: ['ch'] }), refusedWith('policy/region'))
    assert.throws(() => to({ regions: ['eu'] }, { regions: ['us'] }), refusedWith('policy/region'))
    assert.throws(() => to({ retention: ['hipaa'] }), refusedWith('policy/retention'))
  })

  test('a route leads to no provider that lacks them', () => {
    const routes = [route({ targets: [{ provider: 'us' }, { provider: 'quiet' }] })]
    const { router } = createWorld({ providers, routes, scoped: [scoped({ regions: ['eu'] })] })
    const { plan } = router.plan(asked({ caller: caller() }))
    assert.deepEqual(
      plan.choices.map((one) => one.provider.name),
      ['quiet'],
    )
  })
})
