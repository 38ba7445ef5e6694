import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { createHomes, draw, readAffinity, scopeOf } from './affinity.ts'
import { orderChoices } from './order.ts'
import { provider } from './testing/plain.ts'

const choicesOf = (weights: Readonly<Record<string, number>>) =>
  Object.entries(weights).map(([name, weight]) => ({
    ...{ provider: provider(name), model: 'm-1', weight, order: 0 },
  }))
const winnerOf = (weights: Readonly<Record<string, number>>, affinity: string) => {
  const asked = { strategy: 'weighted', affinity, home: undefined } as const
  const ordered = orderChoices(choicesOf(weights), {
    ...asked,
    inFlight: () => 0,
    random: () => 0.5,
  })
  return ordered[0]!.provider.name
}

const names = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,8}$/), { minLength: 2, maxLength: 8 })
const weightsOf = (list: readonly string[]) =>
  Object.fromEntries(list.map((name, i) => [name, (i % 5) + 1]))

describe('a conversation and its target', () => {
  test('every process finds the same one, whatever order the targets stand in', () => {
    fc.assert(
      fc.property(names, fc.string(), (list, session) => {
        const weights = weightsOf(list)
        const turned = Object.fromEntries(Object.entries(weights).reverse())
        assert.equal(winnerOf(weights, session), winnerOf(turned, session))
      }),
    )
  })

  test('when a target goes, only its own conversations move', () => {
    fc.assert(
      fc.property(names, fc.nat(7), fc.string(), (list, at, session) => {
        const weights = weightsOf(list)
        const before = winnerOf(weights, session)
        const gone = list[at % list.length]!
        const { [gone]: _, ...left } = weights
        if (before !== gone) assert.equal(winnerOf(left, session), before)
      }),
    )
  })

  test('each target gets its weight of many conversations', () => {
    const weights = { a: 1, b: 2, c: 7 }
    const counts = { a: 0, b: 0, c: 0 }
    const total = 10_000
    for (let i = 0; i < total; i += 1) counts[winnerOf(weights, `s-${i}`) as 'a'] += 1
    for (const [name, weight] of Object.entries(weights)) {
      assert.ok(
        Math.abs(counts[name as 'a'] / total - weight / 10) < 0.02,
        `${name}: ${counts[name as 'a']}`,
      )
    }
  })

  test('a drawn number is over 0 and at most 1', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (one, other) => {
        const drawn = draw(one, other)
        assert.ok(drawn > 0 && drawn <= 1)
      }),
    )
  })
})

describe('what a conversation is called', () => {
  test('is told apart by organisation and wire: a name is nobody else’s', () => {
    const scopes = [
      scopeOf('a', 'chat', 'x'),
      scopeOf('b', 'chat', 'x'),
      scopeOf('a', 'gemini', 'x'),
    ]
    assert.equal(new Set(scopes).size, 3)
  })

  const nobody = { loop: null, promptCacheKey: null, endUser: null }
  const everything = { loop: 'l-1', promptCacheKey: 'p', endUser: 'u' }
  for (const [what, headers, asker, expected] of [
    ['its session before all', ['Session-Id', 's', 'x-session-id', 'y'], everything, 'session:s'],
    [
      'Claude Code’s first',
      ['session-id', 's', 'X-Claude-Code-Session-Id', 'c'],
      nobody,
      'session:c',
    ],
    ['its thread', ['thread-id', 't'], nobody, 'session:t'],
    ['what it asks to be bound to', ['x-session-affinity', 'a'], nobody, 'session:a'],
    ['the loop', [], everything, 'loop:l-1'],
    ['the cache’s key', [], { ...everything, loop: null }, 'cache:p'],
    ['whom it is for', [], { ...nobody, endUser: 'u' }, 'user:u'],
    ['nothing', ['session-id', ''], nobody, null],
  ] as const) {
    test(`it is ${what}`, () => {
      assert.equal(readAffinity([...headers], asker), expected)
    })
  }

  test('of many homes the longest unused leave', () => {
    const homes = createHomes(2)
    homes.set('a', '1')
    homes.set('b', '2')
    homes.set('a', '3')
    homes.set('c', '4')
    assert.deepEqual(
      [homes.find('a'), homes.find('b'), homes.find('c'), homes.size],
      ['3', undefined, '4', 2],
    )
  })
})
