import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Pass } from '../../spool/api.ts'
import { toOutcome, toParts, toPlace } from './pass-outcome.ts'
import { addUp, toPoints } from './sparkline.ts'

const gate = (exit: number) => ({ name: `g${exit}`, exit, ms: 1, timedOut: false, output: '' })
const pass = (over: Partial<Pass>): Pass => ({
  loop: 'l',
  pass: 1,
  attempt: 1,
  phase: 'settled',
  sandbox: null,
  sha: null,
  filesChanged: 0,
  agentExit: 0,
  agentCut: null,
  lastMessage: null,
  promised: false,
  openItems: null,
  gates: [],
  usage: { inputTokens: 0, cachedTokens: 0, outputTokens: 0 },
  costNanoUsd: 0,
  next: 'again',
  reason: null,
  startedAt: new Date(0).toISOString(),
  endedAt: null,
  plan: null,
  agentMs: null,
  gatesMs: null,
  hasRecording: false,
  changes: null,
  ...over,
})

test('a pass is told by what it does, by how it ended the loop, or else by its gates', () => {
  const said = (over: Partial<Pass>) => Object.values(toOutcome(pass(over)))
  assert.deepEqual(said({ phase: 'agent' }), ['running', 'agent at work'])
  assert.deepEqual(said({ next: 'capped: usd' }), ['capped', 'capped · usd'])
  assert.deepEqual(said({ next: 'needs-review' }), ['needs-review', 'needs-review'])
  assert.deepEqual(said({ next: 'paused' }), ['paused', 'waited for the provider'])
  assert.deepEqual(said({ gates: [gate(0), gate(1)] }), ['failed', '1 gate red'])
  assert.deepEqual(said({ gates: [gate(0)] }), ['done', 'gates green'])
  assert.deepEqual(said({ agentCut: 'memory' }), ['stuck', 'agent cut: memory'])
})

test('the part that runs has the time that no other part had', () => {
  const at = (ms: number) => new Date(ms).toISOString()
  assert.deepEqual(toParts(pass({ phase: 'agent' }), 5_000), { agentMs: 5_000, gatesMs: 0 })
  assert.deepEqual(toParts(pass({ phase: 'gates', agentMs: 3_000 }), 5_000), {
    agentMs: 3_000,
    gatesMs: 2_000,
  })
  assert.deepEqual(toParts(pass({ endedAt: at(9_000), agentMs: 6_000, gatesMs: 2_500 }), 0), {
    agentMs: 6_000,
    gatesMs: 2_500,
  })
})

test('arrow keys stay within the passes, and other keys lead nowhere', () => {
  assert.equal(toPlace('ArrowLeft', 0, 3), 0)
  assert.equal(toPlace('ArrowRight', 1, 3), 2)
  assert.equal(toPlace('PageDown', 1, 30), 11)
  assert.equal(toPlace('Home', 2, 3), 0)
  assert.equal(toPlace('End', 0, 3), 2)
  assert.equal(toPlace('x', 0, 3), undefined)
})

test('a line of figures goes from zero at the foot to the largest at the top', () => {
  assert.equal(toPoints([0, 5, 10], 100, 20), '0,20 50,10 100,0')
  assert.equal(toPoints([0, 0], 100, 20), '0,20 100,20')
  assert.deepEqual(addUp([1, 2, 3]), [1, 3, 6])
})
