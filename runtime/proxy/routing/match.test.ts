import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { NewRouteInput } from './api.ts'
import { type Described, findRoute, sortRoutes } from './match.ts'
import { route } from './testing/plain.ts'

const call = (more: Partial<Described> = {}): Described => ({
  ...{ model: 'claude-opus-5', wire: 'messages', stream: false, tags: {}, team: null, key: null },
  ...{ regions: null, retention: [] },
  ...more,
})
const named = (name: string, match: NewRouteInput['match']) => route({ name, match })
const find = (routes: ReturnType<typeof route>[], more: Partial<Described> = {}) =>
  findRoute(sortRoutes(routes), call(more))?.name

describe('the route of a call', () => {
  test('a name goes before a prefix, and a longer prefix before a shorter one', () => {
    const routes = [
      named('any', { models: ['*'] }),
      named('family', { models: ['claude-*'] }),
      named('line', { models: ['claude-opus-*'] }),
      named('one', { models: ['claude-opus-5'] }),
    ]
    assert.equal(find(routes), 'one')
    assert.equal(find(routes, { model: 'claude-opus-6' }), 'line')
    assert.equal(find(routes, { model: 'claude-haiku' }), 'family')
    assert.equal(find(routes, { model: 'gpt' }), 'any')
  })

  test('of two that name the model alike the one with more conditions is asked first', () => {
    const routes = [
      named('a-plain', { models: ['m'] }),
      named('b-streams', { models: ['m'], stream: true }),
    ]
    assert.equal(find(routes, { model: 'm', stream: true }), 'b-streams')
    assert.equal(find(routes, { model: 'm' }), 'a-plain')
  })

  test('of two alike the name decides', () => {
    const routes = [named('b', { models: ['m'] }), named('a', { models: ['m'] })]
    assert.equal(find(routes, { model: 'm' }), 'a')
  })

  for (const [what, match, more] of [
    ['wire', { wires: ['chat'] }, { wire: 'chat' }],
    ['stream', { stream: true }, { stream: true }],
    ['tag', { tags: { env: 'prod' } }, { tags: { env: 'prod', more: 'x' } }],
    ['team', { teams: ['search'] }, { team: 'search' }],
    ['key', { keys: ['k-1'] }, { key: 'k-1' }],
    ['region', { regions: ['eu', 'uk'] }, { regions: ['eu'] }],
    ['retention', { retention: ['zdr'] }, { retention: ['zdr', 'hipaa'] }],
  ] as const) {
    test(`a condition on the ${what} must hold`, () => {
      const routes = [named('one', { models: ['*'], ...match } as NewRouteInput['match'])]
      assert.equal(find(routes, more as Partial<Described>), 'one')
      assert.equal(find(routes), undefined)
    })
  }

  test('a tag of another value does not hold', () => {
    const routes = [named('one', { models: ['*'], tags: { env: 'prod' } })]
    assert.equal(find(routes, { tags: { env: 'test' } }), undefined)
  })
})
