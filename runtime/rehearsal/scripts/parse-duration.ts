import type { Script } from '../script.ts'
import {
  allDone,
  hasRedTest,
  isGreen,
  isOpen,
  lookAtWork,
  promise,
  runTests,
  tick,
} from './look.ts'

const item = 'read hours, and parts that add up'

const oneUnit = `  const [, digits, unit] = /^(\\d+)([sm])$/.exec(text) ?? []
  return Number(digits) * msPerUnit[unit]`
const oneUnitMore = oneUnit.replace('[sm]', '[smh]')
const parts = `  if (!/^(\\d+[smh])+$/.test(text)) throw new RangeError(\`no duration: \${text}\`)
  const parts = [...text.matchAll(/(\\d+)([smh])/g)]
  return parts.reduce((ms, [, digits, unit]) => ms + Number(digits) * msPerUnit[unit], 0)`

const file = 'parse-duration.js'

/** Does half of its one item and promises that it is whole; only the next pass looks at the tests. */
export const parseDuration: Script = {
  look: lookAtWork,
  choices: [
    {
      when: isOpen(item),
      steps: [
        { read: file },
        { edit: { path: file, from: 'm: 60_000 }', to: 'm: 60_000, h: 3_600_000 }' } },
        { edit: { path: file, from: oneUnit, to: oneUnitMore } },
        {
          say: 'Hours should work. One look at them.',
          run: `node -e 'import("./${file}").then((file) => console.log(file.parseDuration("2h")))'`,
        },
        ...tick(item),
        { say: `2h is 7200000 ms: hours work.\n\n${promise}` },
      ],
    },
    {
      when: hasRedTest,
      steps: [
        { say: 'The box is ticked, yet tests fail: parts do not add up.', read: file },
        { edit: { path: file, from: oneUnitMore, to: parts } },
        runTests,
        { say: `1h30m adds up now, and what is no duration is refused.\n\n${promise}` },
      ],
    },
    { when: isGreen, steps: [allDone] },
  ],
}
