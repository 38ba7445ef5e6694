import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createColours, hasColours } from './colours.ts'
import { toPrintable, toPrintableDeep } from './printable.ts'
import { cut, toTable, widthOf } from './table.ts'

const look = (widthMax: number) => ({ colours: createColours(false), widthMax })
const columns = [
  { title: 'A', of: ({ a }: { a: string }) => a },
  { title: 'N', of: ({ n }: { n: string }) => n, align: 'right' as const },
]
type Row = { a: string; n: string }

describe('table', () => {
  test('columns stand under their titles', () => {
    const rows: Row[] = [
      { a: 'x', n: '1' },
      { a: 'long', n: '100' },
    ]
    const lines = toTable<never>(rows as never[], columns as never[], look(80))
    assert.deepEqual(lines, ['A       N', 'x       1', 'long  100'])
  })

  test('wide characters count as two columns, and accents as none', () => {
    assert.equal(widthOf('漢字'), 4)
    assert.equal(widthOf('e\u0301'), 1)
    assert.equal(widthOf('👍'), 2)
    assert.equal(cut('漢字漢字', 5), '漢字…')
  })

  test('a cell of several lines becomes one line', () => {
    const lines = toTable<never>([{ a: 'x\n  y', n: '' } as never], columns as never[], look(80))
    assert.equal(lines[1], 'x y')
  })

  test('the widest column is cut first, and none to nothing', () => {
    const row = { a: 'a'.repeat(40), n: '12345' } as never
    assert.equal(
      toTable<never>([row], columns as never[], look(20))[1],
      `${'a'.repeat(12)}…  12345`,
    )
    const narrow = toTable<never>([row], columns as never[], look(1))
    assert.equal(narrow[1], `${'a'.repeat(7)}…  12345`)
  })

  test('control characters become visible, line ends and tabs stay', () => {
    assert.equal(
      toPrintable('a\u001b[2J\n\tb\r\nc\rd\u007f\u0085\u2028'),
      'a\\x1b[2J\n\tb\nc\\x0dd\\x7f\\x85\\u2028',
    )
    assert.deepEqual(toPrintableDeep({ '\u001b': ['\u0007', 1, null] }), {
      '\\x1b': ['\\x07', 1, null],
    })
  })

  for (const [title, env, isTerminal, isOn] of [
    ['a terminal has colours', {}, true, true],
    ['a pipe has none', {}, false, false],
    ['NO_COLOR takes them away', { NO_COLOR: '1', FORCE_COLOR: '1' }, true, false],
    ['FORCE_COLOR gives them to a pipe', { FORCE_COLOR: '1' }, false, true],
    ['a dumb terminal has none', { TERM: 'dumb' }, true, false],
  ] as const) {
    test(title, () => assert.equal(hasColours(env, isTerminal), isOn))
  }
})
