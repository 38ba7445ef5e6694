import type { Script } from '../script.ts'
import { allDone, isGreen, isOpen, lookAtWork, promise, runTests, tick } from './look.ts'

const add = 'make add() add'
const sum = 'make sum() begin at zero'

/** Two items, a pass each: the gate is red after the first. */
export const fixAdder: Script = {
  look: lookAtWork,
  choices: [
    {
      when: isOpen(add),
      steps: [
        { read: 'adder.js' },
        { edit: { path: 'adder.js', from: 'return a - b', to: 'return a + b' } },
        runTests,
        ...tick(add),
        { say: 'add() adds now. sum() is still wrong: that is for the next pass.' },
      ],
    },
    {
      when: isOpen(sum),
      steps: [
        { read: 'adder.js' },
        { edit: { path: 'adder.js', from: 'reduce(add, 1)', to: 'reduce(add, 0)' } },
        runTests,
        ...tick(sum),
        { say: `sum() begins at zero now, and every test passes.\n\n${promise}` },
      ],
    },
    { when: isGreen, steps: [allDone] },
  ],
}
