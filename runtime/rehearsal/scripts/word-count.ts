import type { Script, Step } from '../script.ts'
import { allDone, isGreen, isOpen, lookAtWork, promise, runTests, tick } from './look.ts'

type Fix = { item: string; from: string; to: string; say: string }

const fixes: readonly Fix[] = [
  {
    item: 'count words between any white space',
    from: "text.split(' ').length",
    to: 'text.split(/\\s+/).filter(Boolean).length',
    say: 'Words are counted between any white space now. Two items are left.',
  },
  {
    item: 'count no line after the last line break',
    from: "text.split('\\n').length",
    to: "text.split('\\n').length - (text.endsWith('\\n') || text === '' ? 1 : 0)",
    say: 'The last line break begins no line any more. One item is left.',
  },
  {
    item: 'find the longest word, not the last one',
    from: '(longest, word) => word',
    to: '(longest, word) => (word.length > longest.length ? word : longest)',
    say: `The longest word is found, and every test passes.\n\n${promise}`,
  },
]

const toSteps = ({ item, from, to, say }: Fix): Step[] => [
  { read: 'word-count.js' },
  { edit: { path: 'word-count.js', from, to } },
  runTests,
  ...tick(item),
  { say },
]

/** Three items, a pass each: the gate is red after the first and the second. */
export const wordCount: Script = {
  look: lookAtWork,
  choices: [
    ...fixes.map((fix) => ({ when: isOpen(fix.item), steps: toSteps(fix) })),
    { when: isGreen, steps: [allDone] },
  ],
}
