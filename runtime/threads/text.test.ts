import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { toBounded, toQuery, toStart, toStorable, toWords } from './text.ts'

describe('text', () => {
  test('is storable without NUL and half surrogate pairs', () => {
    assert.equal(toStorable('a\0b\ud800c😀'), 'a\ufffdb\ufffdc😀')
  })

  test('is bounded in bytes, whatever its characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat(40), (text, bytesMax) => {
        const start = toStart(toStorable(text), bytesMax)
        assert.ok(Buffer.byteLength(start) <= bytesMax)
        assert.ok(start.isWellFormed())
      }),
    )
  })

  test('that fits stays as it is', () => {
    assert.equal(toBounded('é', 2), 'é')
    assert.equal(toBounded('éé', 3), 'é\n[cut: 1 more bytes]')
  })

  for (const [text, words] of [
    ['runtime/kernel/units.ts', 'runtime kernel units ts'],
    ['parseDuration(x)', 'parseduration x'],
    ['snake_case-and.dots', 'snake case and dots'],
    ['Größe Привет', 'größe привет'],
    ['你好world', '你 好 world'],
    ['e\u0301', 'é'],
    ['!?', ''],
  ] as const) {
    test(`has the words ${JSON.stringify(words)} in ${JSON.stringify(text)}`, () => {
      assert.equal(toWords(text), words)
    })
  }

  for (const [typed, query] of [
    ['two words', 'two words'],
    ['units.ts', '"units ts"'],
    ['-units.ts fix', '-"units ts" fix'],
    ['"exact words" other', '"exact words" other'],
    ['-"exact words"', '-"exact words"'],
    ['cats OR dogs', 'cats or dogs'],
    ['"open end', '"open end"'],
    ["a' & b | !c:* <-> (d", 'a b c d'],
    ['-', ''],
    ['" "', ''],
  ] as const) {
    test(`typed as ${JSON.stringify(typed)} becomes the query ${JSON.stringify(query)}`, () => {
      assert.equal(toQuery(typed), query)
    })
  }
})
