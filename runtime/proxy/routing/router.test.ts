import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Refusal } from '../refusal.ts'
import { type NewRouteInput, retryClasses } from './api.ts'
import { toAttempts } from './attempts.ts'
import { answered, asked, createWorld, provider, route, sandboxCaller } from './testing/plain.ts'

const error = new Error('x')
const refusedWith = (code: string) => (thrown: unknown) =>
  thrown instanceof Refusal && thrown.code === code
const retry = (...on: NonNullable<NewRouteInput['retry']>['on']) => ({ triesMax: 5, on })
const everything = retry(...retryClasses)
const signed = Buffer.from('{"model":"m-1","messages":[{"type":"thinking","signature":"EqQB"}]}')

describe('without a route', () => {
  test('the oldest provider that lists the model and speaks the wire serves it', () => {
    const providers = [
      provider('chat', { kind: 'openai' }),
      provider('other', { models: new Set(['m-2']) }),
      provider('elsewhere', { org: 'south' }),
      provider('first'),
      provider('second'),
    ]
    const { router } = createWorld({ providers })
    const { plan } = router.plan(asked())
    assert.deepEqual(
      plan.choices.map((one) => one.provider.name),
      ['first'],
    )
    assert.equal(plan.next(null)!.provider.name, 'first')
  })

  test('a failure is not tried again, whatever it is', () => {
    const { router } = createWorld()
    for (const failure of [answered(529), answered(429), { kind: 'unsent', error } as const]) {
      const { plan } = router.plan(asked())
      plan.next(null)
      assert.equal(plan.next(failure), null)
      plan.close()
    }
  })

  test('a provider that failed is asked again by the next call', () => {
    const { router } = createWorld({ providers: [provider('a')] })
    for (let i = 0; i < 3; i += 1) {
      const { plan } = router.plan(asked())
      assert.equal(plan.next(null)!.provider.name, 'a')
      plan.next(answered(401))
      plan.close()
    }
  })

  test('a pinned provider serves what it lists, or any model where it lists none', () => {
    const providers = [provider('a'), provider('b'), provider('any', { models: new Set() })]
    const { router } = createWorld({ providers, routes: [route()] })
    const to = (name: string, model = 'm-1') =>
      router.plan(asked({ caller: sandboxCaller({ provider: name, model }), model })).plan
    assert.equal(to('b').choice.provider.name, 'b')
    assert.equal(to('any', 'm-7').choice.provider.name, 'any')
    assert.throws(() => to('b', 'm-7'), refusedWith('provider/none'))
    assert.throws(() => to('nobody'), refusedWith('provider/none'))
  })

  test('rehearsal serves its own models, and nobody else does, by route or without', () => {
    const rehearsal = provider('rehearsal', { org: null, kind: 'rehearsal' })
    const greedy = provider('greedy', { models: new Set(['rehearsal/x']) })
    const routes = [route({ match: { models: ['*'] }, targets: [{ provider: 'greedy' }] })]
    const { router } = createWorld({ providers: [greedy, rehearsal], routes })
    assert.equal(
      router.plan(asked({ model: 'rehearsal/x' })).plan.choice.provider.name,
      'rehearsal',
    )
    const alone = createWorld({ providers: [rehearsal] })
    assert.throws(() => alone.router.plan(asked()), refusedWith('provider/none'))
  })

  test('a sandbox may name the one model of its token alone', () => {
    const { router } = createWorld()
    const ask = () => router.plan(asked({ caller: sandboxCaller({ model: 'm-2' }) }))
    assert.throws(ask, refusedWith('model/refused'))
  })
})

describe('a route', () => {
  test('its first target is tried, and calls what the target calls the model', () => {
    const targets = [
      { provider: 'b', model: 'm-1-there' },
      { provider: 'a', order: 1 },
    ]
    const { router } = createWorld({ routes: [route({ targets })] })
    const { plan } = router.plan(asked())
    assert.deepEqual([plan.choice.provider.name, plan.choice.model], ['b', 'm-1-there'])
    assert.deepEqual(
      plan.choices.map(({ model }) => model),
      ['m-1-there', 'm-1'],
    )
  })

  test('targets that are gone, of another organisation, or on another wire are left out', () => {
    const providers = [
      provider('a', { org: 'south' }),
      provider('b', { kind: 'openai' }),
      provider('d'),
    ]
    const targets = ['a', 'b', 'c', 'd'].map((name) => ({ provider: name }))
    const { router } = createWorld({ providers, routes: [route({ targets })] })
    assert.deepEqual(
      router.plan(asked()).plan.choices.map((one) => one.provider.name),
      ['d'],
    )
  })

  test('with no target left it is refused, and nobody else steps in', () => {
    const targets = [{ provider: 'gone' }]
    const { router } = createWorld({ routes: [route({ targets })] })
    assert.throws(() => router.plan(asked()), refusedWith('provider/none'))
  })

  test('a target may not be the rehearsal', () => {
    const rehearsal = provider('rehearsal', { org: null, kind: 'rehearsal' })
    const routes = [route({ targets: [{ provider: 'rehearsal' }] })]
    const { router } = createWorld({ providers: [rehearsal], routes })
    assert.throws(() => router.plan(asked()), refusedWith('provider/none'))
  })
})

describe('a try that failed', () => {
  const ordered = { targets: ['a', 'b', 'c'].map((name, order) => ({ provider: name, order })) }
  const start = (more: Partial<NewRouteInput>, body?: Buffer) => {
    const world = createWorld({ routes: [route({ ...ordered, ...more })] })
    const { plan } = world.router.plan(asked(body ? { body } : {}))
    plan.next(null)
    return { ...world, plan }
  }

  for (const [what, failure] of [
    ['dead-key', answered(401)],
    ['rate-limited', answered(429)],
    ['busy', answered(429, '{"error":{"code":"1302"}}')],
    ['overloaded', answered(529)],
    ['unsent', { kind: 'unsent', error }],
    ['failed', answered(500)],
    ['unanswered', { kind: 'unanswered', error }],
  ] as const) {
    test(`goes to the next target where the route says so: ${what}`, () => {
      assert.equal(start({ retry: retry(what) }).plan.next(failure)!.provider.name, 'b')
    })

    test(`ends the call where the route does not say so: ${what}`, () => {
      assert.equal(start({}).plan.next(failure), null)
      const others = everything.on.filter((one) => one !== what)
      assert.equal(start({ retry: retry(...others) }).plan.next(failure), null)
    })
  }

  test('a bad request is never tried again', () => {
    for (const status of [400, 404, 413, 422]) {
      assert.equal(start({ retry: everything }).plan.next(answered(status)), null)
    }
  })

  test('after the last target no other is asked, and what failed is kept in order', () => {
    const { plan } = start({ retry: retry('dead-key') })
    assert.equal(plan.next(answered(401))!.provider.name, 'b')
    assert.equal(plan.next(answered(403))!.provider.name, 'c')
    assert.equal(plan.next(answered(402)), null)
    assert.deepEqual(plan.tries, [
      { provider: 'a', status: 401, class: 'dead-key' },
      { provider: 'b', status: 403, class: 'dead-key' },
      { provider: 'c', status: 402, class: 'dead-key' },
    ])
  })

  test('no more tries are made than the route says', () => {
    const { plan } = start({ retry: { triesMax: 2, on: ['overloaded'] } })
    assert.equal(plan.next(answered(529))!.provider.name, 'b')
    assert.equal(plan.next(answered(529)), null)
  })

  test('the last target is tried again after a while, where the failure may pass', () => {
    const { plan } = start({ targets: [{ provider: 'a' }], retry: retry('overloaded', 'dead-key') })
    assert.equal(plan.next(answered(529))!.provider.name, 'a')
    assert.ok(plan.waitMs > 0 && plan.waitMs <= 250, String(plan.waitMs))
    assert.equal(plan.next(answered(529))!.provider.name, 'a')
    assert.ok(plan.waitMs > 250, String(plan.waitMs))
    assert.equal(plan.next(answered(401)), null)
  })

  test('a vendor that asks for a longer wait than a client should have gets no second call', () => {
    const { plan } = start({ targets: [{ provider: 'a' }], retry: retry('overloaded') })
    assert.equal(plan.next(answered(529, '', ['retry-after', '20'])), null)
  })

  test('a conversation with signed thoughts fails rather than moves', () => {
    const { plan } = start({ retry: everything }, signed)
    assert.deepEqual(plan.choices.length, 1)
    assert.equal(plan.next(answered(401)), null)
  })

  test('a job in the background is not sent twice', () => {
    const { router } = createWorld({
      providers: ['a', 'b'].map((name) => provider(name, { kind: 'openai' })),
      routes: [route({ ...ordered, retry: everything })],
    })
    const body = Buffer.from('{"model":"m-1","background":true}')
    const { plan } = router.plan(asked({ wire: 'responses', body }))
    assert.equal(plan.next({ kind: 'unsent', error }), null)
  })

  test('targets that cool, or are full, are passed over', () => {
    const providers = [provider('a'), provider('b', { callsMax: 1 }), provider('c'), provider('d')]
    const targets = ['a', 'b', 'c', 'd'].map((name, order) => ({ provider: name, order }))
    const { router, health } = createWorld({
      providers,
      routes: [route({ targets, retry: everything })],
    })
    health.enter('id-b')
    health.note('id-c', 'rate-limited', null)
    const { plan } = router.plan(asked())
    assert.equal(plan.next(answered(529))!.provider.name, 'd')
  })

  test('the relay is handed what is to be sent, and when', () => {
    const { plan } = start({ retry: everything })
    const attempts = toAttempts(plan, ({ provider: { name }, model }) => ({
      ...{ path: `/${name}`, headers: [], body: Buffer.from(model) },
    }))
    assert.equal(attempts.next(null)!.path, '/a')
    const second = attempts.next(answered(529))!
    assert.deepEqual([second.path, second.afterMs, second.provider.name], ['/b', 0, 'b'])
    attempts.ended({ target: second, outcome: 'complete', status: 200, error: null })
    assert.equal(plan.tries.at(-1)!.status, 200)
  })
})

describe('slots and cool-downs', () => {
  test('a credential has no more calls at once than it may have', () => {
    const { router } = createWorld({ providers: [provider('a', { callsMax: 2 })] })
    const plans = [router.plan(asked()).plan, router.plan(asked()).plan]
    assert.throws(() => router.plan(asked()), refusedWith('capacity/provider'))
    plans[0]!.close()
    plans[0]!.close() // Twice gives back one slot.
    router.plan(asked())
    assert.throws(() => router.plan(asked()), refusedWith('capacity/provider'))
  })

  test('a failed try gives its slot back, and takes that of the next target', () => {
    const { router, health } = createWorld({ routes: [route({ retry: everything })] })
    const { plan } = router.plan(asked({ affinity: 'session:1' }))
    const first = plan.next(null)!.provider.id
    const second = plan.next(answered(529))!.provider.id
    assert.deepEqual([health.inFlight(first), health.inFlight(second)], [0, 1])
    plan.close()
    assert.equal(health.inFlight(second), 0)
  })

  test('with every key dead nobody is asked, until a cool-down is over', () => {
    const { router, health, clock } = createWorld({ routes: [route()] })
    for (const name of ['a', 'b', 'c']) health.note(`id-${name}`, 'dead-key', null)
    assert.throws(() => router.plan(asked()), refusedWith('upstream/credentials'))
    clock.ms += 60_000
    router.plan(asked()).plan.answered(200)
    assert.equal(router.plan(asked()).plan.choices.length, 3)
  })

  test('when all cool, the one that is fit again soonest is asked', () => {
    const { router, health } = createWorld({ routes: [route()] })
    health.note('id-a', 'rate-limited', 60_000)
    health.note('id-b', 'rate-limited', 5_000)
    health.note('id-c', 'dead-key', null)
    assert.equal(router.plan(asked()).plan.choice.provider.name, 'b')
  })

  test('a half-open target takes one call, and the others go elsewhere meanwhile', () => {
    const targets = ['a', 'b'].map((name, order) => ({ provider: name, order }))
    const { router, health, clock } = createWorld({ routes: [route({ targets })] })
    health.note('id-a', 'rate-limited', null)
    assert.equal(router.plan(asked()).plan.choice.provider.name, 'b')
    clock.ms += 3_000
    const probe = router.plan(asked()).plan
    assert.equal(probe.choice.provider.name, 'a')
    assert.equal(router.plan(asked()).plan.choice.provider.name, 'b')
    probe.answered(200)
    assert.equal(router.plan(asked()).plan.choice.provider.name, 'a')
  })
})
