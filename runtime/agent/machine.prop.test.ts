import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Message, ToolCall } from './conversation.ts'
import { advance, begin, type Effect, type Event } from './machine.ts'

const limits = { turnsMax: 8, contextBytesMax: 4_000 }
const usage = { inputTokens: 1, cachedTokens: 0, outputTokens: 1 }

const calls: fc.Arbitrary<ToolCall[]> = fc.array(
  fc.record({ id: fc.string(), name: fc.string() }),
  { maxLength: 4 },
)
const stopReasons = ['end_turn', 'tool_use', 'max_tokens', 'pause_turn', 'refusal', '']
const turns = fc.array(
  fc.record({
    calls,
    text: fc.string(),
    stopReason: fc.constantFrom(...stopReasons),
    result: fc.string({ maxLength: 500 }),
    trouble: fc.constantFrom('none', 'none', 'none', 'none', 'failed', 'stopped'),
  }),
  { minLength: 1, maxLength: 12 },
)
type Turn = typeof turns extends fc.Arbitrary<(infer T)[]> ? T : never

function toEvent(effect: Exclude<Effect, { effect: 'end' }>, turn: Turn): Event {
  if (turn.trouble === 'stopped') return { event: 'stopped', reason: 'TERM' }
  if (effect.effect === 'use') {
    return { event: 'used', result: { text: turn.result, note: '', isError: false } }
  }
  if (turn.trouble === 'failed') return { event: 'failed', reason: '500' }
  const text = turn.text ? [{ type: 'text' as const, text: turn.text }] : []
  const asked = turn.calls.map(({ id, name }) => ({
    type: 'tool_use' as const,
    id,
    name,
    input: {},
  }))
  const blocks = [...text, ...asked]
  return {
    event: 'answered',
    answer: { blocks, calls: turn.calls, stopReason: turn.stopReason, usage },
  }
}

/** What the wire demands: right after an answer with tool calls, one result for each, in order. */
function assertAnswered(messages: readonly Message[]): void {
  messages.forEach(({ role, content }, at) => {
    if (role !== 'assistant') return
    const asked = content.flatMap((block) => (block.type === 'tool_use' ? block.id : []))
    const next = messages[at + 1]?.content ?? []
    const answered = next.flatMap((block) =>
      block.type === 'tool_result' ? block.tool_use_id : [],
    )
    assert.deepEqual(answered, asked)
  })
  const results = messages.flatMap(({ content }) =>
    content.filter(({ type }) => type === 'tool_result'),
  )
  const asked = messages.flatMap(({ content }) => content.filter(({ type }) => type === 'tool_use'))
  assert.equal(results.length, asked.length)
}

test('whatever a model answers, each call is well formed and in its caps, and the run ends', () => {
  fc.assert(
    fc.property(turns, (script) => {
      let { state, effect } = begin('Do it.', limits)
      let callsMade = 0
      let steps = 0
      while (effect.effect !== 'end') {
        if (effect.effect === 'call') {
          callsMade += 1
          assertAnswered(effect.messages)
          assert.ok(effect.messages.every(({ content }) => content.length > 0))
          assert.ok(Buffer.byteLength(JSON.stringify(effect.messages)) <= limits.contextBytesMax)
        }
        const event = toEvent(effect, script[steps % script.length]!)
        ;({ state, effect } = advance(state, event))
        steps += 1
        assert.ok(steps <= limits.turnsMax * 5, 'it never ends')
      }
      assert.ok(callsMade <= limits.turnsMax)
      assert.equal(state.mode, 'ended')
    }),
    { numRuns: 500 },
  )
})
