import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { GateResult } from '../../spool/api.ts'
import { toOutputLines } from './ansi.ts'
import { findFailingLine, toGateEnd, toGateViews } from './gate-view.ts'

const gate = (name: string, exit: number, timedOut = false): GateResult => ({
  name,
  exit,
  ms: 1,
  timedOut,
  output: '',
})

test('a gate is told beside itself in the pass before', () => {
  const now = [gate('a', 1), gate('b', 0), gate('c', 1), gate('d', 0), gate('e', 0)]
  const before = [gate('a', 0), gate('b', 1), gate('c', 1), gate('d', 0)]
  const turns = toGateViews(now, before).map(({ turn }) => turn)
  assert.deepEqual(turns, ['newly red', 'newly green', 'still red', 'still green', 'green'])
})

test('a gate that ran out of time is red, whatever its exit', () => {
  assert.equal(toGateViews([gate('a', 0, true)], [])[0]?.turn, 'red')
  assert.equal(toGateEnd(gate('a', 0, true)), 'ran out of time')
})

test('the end of a gate is said in words', () => {
  assert.equal(toGateEnd(gate('a', 0)), 'green')
  assert.equal(toGateEnd(gate('a', 2)), 'red, exit 2')
  assert.equal(toGateEnd(gate('a', 127)), 'red, exit 127: no such command')
  assert.equal(toGateEnd(gate('a', 137)), 'red, ended by signal 9')
})

const outputs: [string, string, number][] = [
  ['node --test', 'TAP version 13\nok 1 - a\nnot ok 2 - b\n# fail 1', 2],
  ['node --test, spec', '✔ a (1ms)\n✖ b (2ms)\nℹ fail 1', 1],
  ['jest', 'PASS a.test.js\nFAIL b.test.js\n  ● sums', 1],
  ['go test', '=== RUN TestA\n--- FAIL: TestA (0.00s)', 1],
  ['pytest', 'collected 2 items\nE   assert 1 == 2\nFAILED t.py::a', 1],
  ['cargo', '   Compiling a\nerror[E0308]: mismatched types', 1],
  ['tsc', 'src/a.ts(1,2): error TS2322: no', 0],
  ['python', 'ok\nTraceback (most recent call last):\n  x', 1],
  ['make', 'cc a.c\nmake: *** [all] Error 1: a', 1],
  ['sh', 'sh: line 1: foo: command not found', 0],
  ['a summary without a failure', 'tests 3\n0 failed\nbye', 2],
  ['nothing known', 'one\ntwo\n\n', 1],
]
for (const [runner, output, line] of outputs) {
  test(`the first failure is found in what ${runner} prints`, () => {
    assert.equal(findFailingLine(toOutputLines(output)), line)
  })
}

test('no line is marked in an output of blanks', () => {
  assert.equal(findFailingLine(toOutputLines('\n \n')), -1)
})
