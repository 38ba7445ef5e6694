import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Refusal } from '../refusal.ts'
import { caller, sandboxCaller, scoped } from '../routing/testing/plain.ts'
import { explainPolicies, judge } from './verdict.ts'

const nothing = { outputTokens: null, tools: [], serverTools: [] }
const call = (more: object = {}, model = 'claude-opus-5') => ({
  caller: caller(),
  model,
  facts: { ...nothing, ...more },
})
const codeOf = (run: () => unknown): string => {
  try {
    run()
    return 'allowed'
  } catch (error) {
    assert.ok(error instanceof Refusal)
    return error.code
  }
}
const lists = (allow: string[] | null, deny: string[] = []) => ({ allow, deny })

describe('a policy', () => {
  for (const [what, policy, more, model, expected] of [
    ['lets any model pass where it says nothing', {}, {}, 'x', 'allowed'],
    ['allows by name', { models: lists(['x']) }, {}, 'x', 'allowed'],
    ['allows by prefix', { models: lists(['claude-*']) }, {}, 'claude-x', 'allowed'],
    ['forbids what it does not name', { models: lists(['x']) }, {}, 'xy', 'policy/model'],
    ['forbids everything by an empty list', { models: lists([]) }, {}, 'x', 'policy/model'],
    ['forbids before it allows', { models: lists(['*'], ['x*']) }, {}, 'xy', 'policy/model'],
    ['limits the answer', { outputTokensMax: 10 }, { outputTokens: 11 }, 'x', 'policy/output'],
    ['lets the limit itself pass', { outputTokensMax: 10 }, { outputTokens: 10 }, 'x', 'allowed'],
    ['wants the answer limited', { outputTokensMax: 10 }, {}, 'x', 'policy/output'],
    ['clips instead', { outputTokensMax: 10, outputOver: 'clip' }, {}, 'x', 'allowed'],
    [
      'clips no further than what may be thought',
      { outputTokensMax: 10, outputOver: 'clip' },
      { outputTokens: 50, outputTokensMin: 11 },
      'x',
      'policy/output',
    ],
    [
      'clips to what is above that',
      { outputTokensMax: 11, outputOver: 'clip' },
      { outputTokens: 50, outputTokensMin: 11 },
      'x',
      'allowed',
    ],
    [
      'forbids a tool',
      { tools: lists(null, ['bash']) },
      { tools: ['a', 'bash'] },
      'x',
      'policy/tool',
    ],
    ['allows a tool', { tools: lists(['a*']) }, { tools: ['ab'] }, 'x', 'allowed'],
    [
      'forbids a server tool by prefix',
      { serverTools: lists(null, ['web_search*']) },
      { serverTools: ['web_search_20250305'] },
      'x',
      'policy/tool',
    ],
    [
      'forbids all server tools',
      { serverTools: lists([]) },
      { serverTools: ['c'] },
      'x',
      'policy/tool',
    ],
    ['lets a call without tools pass', { serverTools: lists([]) }, {}, 'x', 'allowed'],
  ] as const) {
    test(`${what}: ${expected}`, () => {
      const held = scoped(policy as Parameters<typeof scoped>[0])
      assert.equal(
        codeOf(() => judge(call(more, model), [held])),
        expected,
      )
    })
  }

  test('of several each must let the call pass', () => {
    const wide = scoped({ models: lists(['claude-*']) })
    const narrow = scoped({ models: lists(['claude-haiku']) }, 'key:k-1')
    assert.equal(
      codeOf(() => judge(call(), [wide])),
      'allowed',
    )
    assert.equal(
      codeOf(() => judge(call(), [wide, narrow])),
      'policy/model',
    )
  })

  test('of limits the stricter counts', () => {
    const one = { regions: ['eu', 'us'], retention: ['zdr'], logging: 'metadata' } as const
    const other = { regions: ['eu', 'ch'], retention: ['hipaa'], logging: 'full' } as const
    const clip = { outputOver: 'clip' } as const
    const verdict = judge(call(), [
      scoped({
        ...one,
        ...clip,
        regions: [...one.regions],
        retention: [...one.retention],
        outputTokensMax: 20,
      }),
      scoped({
        ...other,
        ...clip,
        regions: [...other.regions],
        retention: [...other.retention],
        outputTokensMax: 10,
      }),
    ])
    assert.deepEqual(verdict, {
      ...{ regions: ['eu'], retention: ['zdr', 'hipaa'], outputTokensMax: 10, logging: 'metadata' },
      onClientLeft: 'cancel',
    })
  })

  for (const [one, other, expected] of [
    [null, null, 'cancel'],
    ['drain', null, 'drain'],
    [null, 'drain', 'drain'],
    ['drain', 'cancel', 'cancel'],
    ['cancel', 'drain', 'cancel'],
  ] as const) {
    test(`an answer whose client left, of ${one} and ${other}: ${expected}`, () => {
      const held = [scoped({ onClientLeft: one }), scoped({ onClientLeft: other }, 'key:k-1')]
      assert.equal(judge(call(), held).onClientLeft, expected)
    })
  }

  test('an answer of a sandbox is cancelled when that leaves, whatever is said', () => {
    const ask = { ...call({}, 'm-1'), caller: sandboxCaller({ model: 'm-1' }) }
    const held = [scoped({ onClientLeft: 'drain' }, 'sandboxes')]
    assert.equal(judge(ask, held).onClientLeft, 'cancel')
  })

  test('none gives a sandbox another model than its token names', () => {
    const wide = scoped({ models: lists(['*']) }, 'sandboxes')
    const ask = { ...call({}, 'm-2'), caller: sandboxCaller({ model: 'm-1' }) }
    assert.equal(
      codeOf(() => judge(ask, [wide])),
      'model/refused',
    )
    assert.deepEqual(
      explainPolicies(ask, [wide])
        .map(({ rule, isAllowed }) => [rule, isAllowed])
        .slice(0, 2),
      [
        ['model', false],
        ['models', true],
      ],
    )
  })

  test('a refusal says what is wrong, and who can change it', () => {
    const held = scoped({ models: lists(['x']) }, 'key:k-1')
    assert.throws(() => judge(call(), [held]), /claude-opus-5 is not among .* policy key:k-1/)
  })
})
