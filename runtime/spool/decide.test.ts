import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { endings } from './api.ts'
import {
  decide,
  isWorthGates,
  type Outcome,
  type PassFacts,
  type Situation,
  toErrorDigest,
} from './decide.ts'

const ended: Outcome = {
  exit: 0,
  cut: null,
  calls: 3,
  lastStatus: 200,
  lastError: null,
  retryAfterS: null,
  denial: null,
  workRefused: null,
}
const green = { name: 'test', exit: 0, ms: 5, timedOut: false, output: '' }
const red = { ...green, exit: 1, output: 'expected 1, got 2' }
const moved: PassFacts = {
  outcome: ended,
  treeChanged: true,
  promised: false,
  openItems: 1,
  gates: [red],
}
const still: PassFacts = { ...moved, treeChanged: false }
const proved: PassFacts = { ...moved, promised: true, openItems: 0, gates: [green] }

const caps = { iterations: 20, time: 60_000, idle: 10_000 }
const situation = (change: Partial<Situation> = {}): Situation => ({
  caps,
  gatesWanted: 1,
  cancelled: false,
  elapsedMs: 1_000,
  spent: { tokens: 100, nanoUsd: 100 },
  pass: moved,
  before: [],
  settled: 0,
  ...change,
})
const withOutcome = (change: Partial<Outcome>, facts = still): PassFacts => ({
  ...facts,
  outcome: { ...ended, ...change },
})
const denial = (code: string) => ({ denial: { code, message: 'No.' } })

describe('what comes after a pass', () => {
  for (const [title, change, next] of [
    ['a promise that is proved is done', { pass: proved }, 'done'],
    [
      'without a plan, promise and gates are enough',
      { pass: { ...proved, openItems: null } },
      'done',
    ],
    ['a red gate refuses the promise', { pass: { ...proved, gates: [red] } }, 'again'],
    [
      'a gate that was late is red',
      { pass: { ...proved, gates: [{ ...green, timedOut: true }] } },
      'again',
    ],
    ['a gate that did not run is no green one', { pass: proved, gatesWanted: 2 }, 'again'],
    ['an open item refuses the promise', { pass: { ...proved, openItems: 1 } }, 'again'],
    ['no promise, no end', { pass: { ...proved, promised: false } }, 'again'],
    ['a cancellation comes before all', { pass: proved, cancelled: true }, 'cancelled'],
    [
      'what is proved is done, also at the end of its time',
      { pass: proved, elapsedMs: 60_000 },
      'done',
    ],
    [
      'what is proved is done, also with the last dollar',
      { pass: proved, caps: { ...caps, usd: 0.0000001 } },
      'done',
    ],
    ['a refused model is a denial', { pass: withOutcome(denial('model/refused')) }, 'denied'],
    [
      'a refused budget in dollars is that cap',
      { pass: withOutcome(denial('budget/usd')) },
      'capped: usd',
    ],
    [
      'a refused budget in tokens is that cap',
      { pass: withOutcome(denial('budget/tokens')) },
      'capped: tokens',
    ],
    [
      'an agent that is not there fails the loop',
      { pass: withOutcome({ exit: 127, calls: 0 }) },
      'failed',
    ],
    [
      "a command that was not found, after calls, is the agent's affair",
      { pass: withOutcome({ exit: 127 }) },
      'again',
    ],
    ['the end of the time', { elapsedMs: 60_000 }, 'capped: time'],
    [
      'an agent that was stopped for the time',
      { pass: withOutcome({ cut: 'time' }) },
      'capped: time',
    ],
    ['an agent that made no call', { pass: withOutcome({ cut: 'idle' }) }, 'capped: idle'],
    ['as many dollars as allowed', { caps: { ...caps, usd: 0.0000001 } }, 'capped: usd'],
    ['as many tokens as allowed', { caps: { ...caps, tokens: 100 } }, 'capped: tokens'],
    ['one token less than allowed', { caps: { ...caps, tokens: 101 } }, 'again'],
    ['the last pass', { settled: 19 }, 'capped: iterations'],
    ['a rate limit without any progress', { pass: withOutcome({ lastStatus: 429 }) }, 'paused'],
    ['an overload without any progress', { pass: withOutcome({ lastStatus: 529 }) }, 'paused'],
    [
      'a rate limit after some progress',
      { pass: withOutcome({ lastStatus: 429 }, moved) },
      'again',
    ],
    ['three passes that change nothing', { pass: still, before: [still, still] }, 'stuck'],
    ['two passes that change nothing', { pass: still, before: [still, moved] }, 'again'],
    [
      'a gate that changed is progress',
      { pass: still, before: [still, { ...still, gates: [green] }, moved] },
      'again',
    ],
    ['the same error five times', { before: [moved, moved, moved, moved] }, 'stuck'],
    ['the same error four times', { before: [moved, moved, moved] }, 'again'],
    [
      'a promise that was refused three times',
      {
        pass: { ...moved, promised: true },
        before: [
          { ...still, promised: true },
          { ...moved, promised: true },
        ],
      },
      'needs-review',
    ],
    [
      'a promise that was refused twice',
      { pass: { ...moved, promised: true }, before: [{ ...moved, promised: true }] },
      'again',
    ],
  ] as [string, Partial<Situation>, string][]) {
    test(title, () => assert.equal(decide(situation(change)).next, next))
  }

  test("a pause is as long as the provider asks, within bounds and the loop's time", () => {
    const wait = (retryAfterS: number | null, elapsedMs = 0) => {
      const pass = withOutcome({ lastStatus: 429, retryAfterS })
      const decision = decide(situation({ pass, elapsedMs, caps: { ...caps, time: 1_000_000 } }))
      return decision.next === 'paused' && decision.waitMs
    }
    assert.deepEqual([wait(null), wait(1), wait(42), wait(9_999)], [15_000, 5_000, 42_000, 300_000])
    assert.equal(wait(100, 990_000), 10_000)
  })

  test('the same error is known again in spite of times, numbers, colours and temporary names', () => {
    const said = (output: string) => toErrorDigest({ ...moved, gates: [{ ...red, output }] })
    assert.equal(
      said('\u001b[31mfail\u001b[0m at /tmp/a1b2/x.js:3 (12.5 ms)'),
      said('fail at /tmp/zz/x.js:9 (8 ms)'),
    )
    assert.notEqual(said('fail in one'), said('fail in two'))
    assert.equal(toErrorDigest({ ...moved, gates: [green] }), null)
  })
})

const anyGate = fc.record({
  name: fc.constant('test'),
  exit: fc.constantFrom(0, 1),
  ms: fc.nat(),
  timedOut: fc.boolean(),
  output: fc.string(),
})
const anyOutcome: fc.Arbitrary<Outcome> = fc.record({
  exit: fc.constantFrom(0, 1, 127, null),
  cut: fc.constantFrom(null, 'time', 'idle', 'disk', 'cancelled'),
  calls: fc.nat(5),
  lastStatus: fc.constantFrom(null, 200, 400, 429, 503, 529),
  lastError: fc.option(fc.string()),
  retryAfterS: fc.option(fc.nat(1_000)),
  denial: fc.option(
    fc.record({ code: fc.constantFrom('budget/usd', 'model/refused'), message: fc.string() }),
  ),
  workRefused: fc.option(fc.string()),
})
const anyPass: fc.Arbitrary<PassFacts> = fc.record({
  outcome: anyOutcome,
  treeChanged: fc.boolean(),
  promised: fc.boolean(),
  openItems: fc.option(fc.nat(2)),
  gates: fc.array(anyGate, { maxLength: 2 }),
})
const anySituation: fc.Arbitrary<Situation> = fc.record({
  caps: fc.record({
    iterations: fc.integer({ min: 1, max: 9 }),
    time: fc.integer({ min: 1, max: 5_000 }),
    idle: fc.nat(),
  }),
  gatesWanted: fc.integer({ min: 1, max: 2 }),
  cancelled: fc.boolean(),
  elapsedMs: fc.nat(6_000),
  spent: fc.record({ tokens: fc.nat(), nanoUsd: fc.nat() }),
  pass: anyPass,
  before: fc.array(anyPass, { maxLength: 5 }),
  settled: fc.nat(8),
})

describe('every decision', () => {
  const holds = (property: (situation: Situation) => void) =>
    fc.assert(fc.property(anySituation, property))

  test('is of the closed set, and says why', () => {
    holds((given) => {
      const { next, reason } = decide(given)
      assert.ok(next === 'again' || next === 'paused' || next in endings)
      assert.notEqual(reason, '')
    })
  })

  test('is done only with a promise, no open item, and every gate green', () => {
    holds((given) => {
      if (decide(given).next !== 'done') return
      const { pass, gatesWanted } = given
      assert.ok(pass.promised && !pass.openItems && pass.gates.length === gatesWanted)
      assert.ok(pass.gates.every(({ exit, timedOut }) => exit === 0 && !timedOut))
    })
  })

  test('lets no loop go on after its time or its last pass', () => {
    holds((given) => {
      const isOver =
        given.elapsedMs >= given.caps.time || given.settled + 1 >= given.caps.iterations
      if (isOver) assert.notEqual(decide(given).next, 'again')
    })
  })

  test('pauses for no longer than the loop has time', () => {
    holds((given) => {
      const decision = decide(given)
      if (decision.next !== 'paused') return
      assert.ok(
        decision.waitMs > 0 &&
          given.elapsedMs + decision.waitMs <= Math.max(given.caps.time, given.elapsedMs + 1),
      )
    })
  })

  test('is never done where the gates are left out, so leaving them out loses nothing', () => {
    holds((given) => {
      if (isWorthGates(given)) return
      const { next } = decide({ ...given, pass: { ...given.pass, gates: [] } })
      assert.ok(next !== 'again' && next !== 'done')
    })
  })
})
