import { type DemoTask, toLoop, toPackage, toPlan } from './demo-task.ts'

const code = `/** The sum of two numbers. */
export function add(a, b) {
  return a - b
}

/** The sum of a list of numbers. */
export function sum(numbers) {
  return numbers.reduce(add, 1)
}`

const tests = `import assert from 'node:assert/strict'
import { test } from 'node:test'
import { add, sum } from './adder.js'

test('two numbers are added', () => assert.equal(add(2, 3), 5))
test('a list is summed', () => assert.equal(sum([1, 2, 3]), 6))
test('an empty list sums to zero', () => assert.equal(sum([]), 0))`

export const fixAdder: DemoTask = {
  files: {
    'package.json': toPackage('fix-adder'),
    'adder.js': code,
    'adder.test.js': tests,
    'PLAN.md': toPlan('make add() add', 'make sum() begin at zero'),
  },
  loop: toLoop({ name: 'fix-adder', agent: 'builtin' }),
}
