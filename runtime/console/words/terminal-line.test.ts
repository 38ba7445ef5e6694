import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TerminalHello } from '../../weaver/api.ts'
import { TerminalPlace, toAfterClose, toExitText, toWaitMs } from './terminal-line.ts'

const hello = (over: Partial<TerminalHello>): TerminalHello => ({
  type: 'hello',
  instance: 'i1',
  offset: 0,
  gap: 0,
  cols: 80,
  rows: 24,
  writer: null,
  viewers: 1,
  mayWrite: true,
  ...over,
})

test('a viewer comes back to the byte after the last one it took', () => {
  const place = new TerminalPlace()
  assert.equal(place.path('s1'), '/api/sandboxes/s1/terminal?mode=view')
  assert.deepEqual(place.greet(hello({ offset: 100 })), {
    isAnew: true,
    gapText: '100 B came before this and are kept no more.',
  })
  place.take(11)
  place.take(4)
  assert.equal(place.path('s1'), '/api/sandboxes/s1/terminal?mode=view&instance=i1&offset=115')
  assert.deepEqual(place.greet(hello({ offset: 115 })), { isAnew: false, gapText: '' })
})

test('bytes that are missing are told in words', () => {
  const place = new TerminalPlace()
  place.greet(hello({}))
  place.take(10)
  assert.deepEqual(place.greet(hello({ offset: 2_058, gap: 2_048 })), {
    isAnew: false,
    gapText: '2.0 KiB were missed here.',
  })
  assert.equal(place.offset, 2_058)
})

test('another start of the agent begins a screen anew', () => {
  const place = new TerminalPlace()
  place.greet(hello({}))
  place.take(10)
  const { isAnew, gapText } = place.greet(hello({ instance: 'i2', offset: 0, gap: null }))
  assert.deepEqual([isAnew, gapText], [true, 'The agent was started again.'])
  assert.match(place.path('s1'), /instance=i2&offset=0$/)
})

test('only closes that mean an end stop a viewer from coming back', () => {
  const finals = [1000, 1003, 1009, 4410]
  for (const code of [1000, 1001, 1003, 1005, 1006, 1009, 1011, 1013, 4410]) {
    assert.equal(toAfterClose(code, '').isFinal, finals.includes(code), String(code))
  }
  assert.equal(toAfterClose(4410, 'deleted').text, 'The sandbox has ended: deleted.')
})

test('how an agent ended is said by its exit or its signal', () => {
  assert.equal(toExitText(0, null), 'The agent has ended with exit 0.')
  assert.equal(toExitText(null, 'SIGTERM'), 'The agent was ended by SIGTERM.')
})

test('each try to come back waits longer than the one before, up to three seconds', () => {
  assert.deepEqual([0, 1, 2, 3, 4, 50].map(toWaitMs), [250, 500, 1_000, 2_000, 3_000, 3_000])
})
