import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Answer, ToolResult } from './conversation.ts'
import { advance, begin, type Event, type Limits, type Step } from './machine.ts'

const limits: Limits = { turnsMax: 10, contextBytesMax: 10_000 }
const usage = { inputTokens: 10, cachedTokens: 4, outputTokens: 2 }

const answer = (more: Partial<Answer>): Event => ({
  event: 'answered',
  answer: {
    blocks: [{ type: 'text', text: 'Well.' }],
    calls: [],
    stopReason: 'end_turn',
    usage,
    ...more,
  },
})
const asks = (...ids: string[]): Event =>
  answer({
    blocks: ids.map((id) => ({ type: 'tool_use', id, name: 'bash', input: {} })),
    calls: ids.map((id) => ({ id, name: 'bash', input: {} })),
    stopReason: 'tool_use',
  })
const used = (more: Partial<ToolResult> = {}): Event => ({
  event: 'used',
  result: { text: 'ok', note: 'ok', isError: false, ...more },
})
const follow = (events: Event[], own: Limits = limits): Step =>
  events.reduce((step, event) => advance(step.state, event), begin('Do it.', own))

describe('the machine', () => {
  test('begins with a call that holds the prompt', () => {
    const { effect } = follow([])
    assert.deepEqual(effect, {
      effect: 'call',
      messages: [{ role: 'user', content: [{ type: 'text', text: 'Do it.' }] }],
    })
  })

  for (const [title, events, ending] of [
    ['an answer without tools is done', [answer({})], 'done'],
    ['an answer with an unknown stop reason is done', [answer({ stopReason: 'new' })], 'done'],
    ['an empty answer is done', [answer({ blocks: [] })], 'done'],
    ['a refusal has failed', [answer({ stopReason: 'refusal' })], 'failed'],
    [
      'a full context has failed',
      [answer({ stopReason: 'model_context_window_exceeded' })],
      'failed',
    ],
    ['a failed call has failed', [{ event: 'failed', reason: '500' }], 'failed'],
    ['a stop while calling has stopped', [{ event: 'stopped', reason: 'TERM' }], 'stopped'],
    [
      'a stop while using has stopped',
      [asks('a'), { event: 'stopped', reason: 'TERM' }],
      'stopped',
    ],
    ['a huge tool answer has failed', [asks('a'), used({ text: 'x'.repeat(11_000) })], 'failed'],
  ] as [string, Event[], string][]) {
    test(title, () => {
      const { effect, state } = follow(events)
      assert.equal(effect.effect === 'end' && effect.ending, ending)
      assert.equal(state.mode, 'ended')
    })
  }

  test('runs the tools of an answer one by one, and answers all of them in one message', () => {
    const one = follow([asks('a', 'b')])
    assert.equal(one.effect.effect === 'use' && one.effect.call.id, 'a')
    const two = advance(one.state, used({ isError: true }))
    assert.equal(two.effect.effect === 'use' && two.effect.call.id, 'b')
    const three = advance(two.state, used())
    assert.deepEqual(three.state.messages.at(-1), {
      role: 'user',
      content: [
        { type: 'tool_result', tool_use_id: 'a', content: 'ok', is_error: true },
        { type: 'tool_result', tool_use_id: 'b', content: 'ok' },
      ],
    })
  })

  test('asks the model to go on when its answer was cut off', () => {
    const { effect, state } = follow([answer({ stopReason: 'max_tokens' })])
    assert.equal(effect.effect, 'call')
    assert.equal(state.messages.length, 3)
  })

  test('uses a whole tool call of an answer that was cut off', () => {
    const cut = asks('a') as Extract<Event, { event: 'answered' }>
    const { effect } = follow([answer({ ...cut.answer, stopReason: 'max_tokens' })])
    assert.equal(effect.effect, 'use')
  })

  test('asks again with the paused answer as it came', () => {
    const { effect, state } = follow([answer({ stopReason: 'pause_turn' })])
    assert.equal(effect.effect, 'call')
    assert.equal(state.messages.length, 2)
  })

  test('ends at the cap of turns, with the tools of the last turn used', () => {
    const { effect, state } = follow([asks('a'), used(), asks('b'), used()], {
      ...limits,
      turnsMax: 2,
    })
    assert.equal(effect.effect === 'end' && effect.ending, 'turns')
    assert.equal(state.turns, 2)
  })

  test('an answer without tools at the cap of turns is done all the same', () => {
    const { effect } = follow([answer({})], { ...limits, turnsMax: 1 })
    assert.equal(effect.effect === 'end' && effect.ending, 'done')
  })

  test('adds up the usage of every answer', () => {
    const { state } = follow([asks('a'), used(), answer({})])
    assert.deepEqual(state.usage, { inputTokens: 20, cachedTokens: 8, outputTokens: 4 })
  })

  for (const [title, events, event] of [
    ['a tool result while calling', [], used()],
    ['an answer while using', [asks('a')], answer({})],
    ['an answer after the end', [answer({})], answer({})],
  ] as [string, Event[], Event][]) {
    test(`${title} is a mistake of the program`, () => {
      assert.throws(() => advance(follow(events).state, event), /can't follow/)
    })
  }
})
