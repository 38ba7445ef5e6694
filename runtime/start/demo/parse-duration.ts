import { type DemoTask, toLoop, toPackage, toPlan } from './demo-task.ts'

const code = String.raw`const msPerUnit = { s: 1_000, m: 60_000 }

/** A duration such as 90s, 5m or 1h30m, in milliseconds. */
export function parseDuration(text) {
  const [, digits, unit] = /^(\d+)([sm])$/.exec(text) ?? []
  return Number(digits) * msPerUnit[unit]
}`

const tests = `import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseDuration } from './parse-duration.js'

test('seconds and minutes are read', () => {
  assert.equal(parseDuration('90s'), 90_000)
  assert.equal(parseDuration('5m'), 300_000)
})
test('hours are read', () => assert.equal(parseDuration('2h'), 7_200_000))
test('parts add up', () => assert.equal(parseDuration('1h30m'), 5_400_000))
test('what is no duration is refused', () => assert.throws(() => parseDuration('soon'), RangeError))`

export const parseDuration: DemoTask = {
  files: {
    'package.json': toPackage('parse-duration'),
    'parse-duration.js': code,
    'parse-duration.test.js': tests,
    'PLAN.md': toPlan('read hours, and parts that add up'),
  },
  loop: toLoop({ name: 'parse-duration', agent: 'pi' }),
}
