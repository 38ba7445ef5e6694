import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countOpenItems, toPlanItems } from './plan.ts'

for (const [title, plan, open] of [
  [
    'every kind of list item counts',
    '- [ ] a\n* [ ] b\n+ [ ] c\n1. [ ] d\n2) [ ] e\n  - [ ] f\n> - [ ] g\n- [x] h\n- [X] i',
    7,
  ],
  ['a plan that is gone is open', null, 1],
  ['a plan that was emptied is open', '', 1],
  ['a plan without any box is open', '# Plan\n- one\n', 1],
  ['a box in a code fence counts: a fence hides no work', '- [x] a\n```\n- [ ] b\n```\n', 1],
  ['a box with another mark is not ticked', '- [x] a\n- [-] b\n- [] c\n', 2],
  ['a link is no box', '- [x] a\n- [ ](https://example.org)\n', 0],
  ['carriage returns do not hide a box', '- [x] a\r\n- [ ] b\r\n', 1],
  ['with all ticked nothing is open', '- [x] a\n- [x] b', 0],
] as const) {
  test(title, () => assert.equal(countOpenItems(plan), open))
}

test('items of a plan have their text and mark, bounded, and as the database can hold them', () => {
  assert.deepEqual(toPlanItems('# Plan\n- [ ] one \n> 2. [x] **two**\r\n* [X]\n- no box\n'), [
    { text: 'one', isDone: false },
    { text: '**two**', isDone: true },
    { text: '', isDone: true },
  ])
  const long = toPlanItems(`- [ ] a\0${'b'.repeat(500)}\n`.repeat(300))
  assert.deepEqual([long.length, long[0]!.text], [200, `a\uFFFD${'b'.repeat(298)}`])
  assert.deepEqual(toPlanItems(null), [])
})
