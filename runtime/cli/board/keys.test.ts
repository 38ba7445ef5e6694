import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { toKeys } from './keys.ts'

const namesOf = (bytes: string) => toKeys(bytes).keys.map(({ name }) => name)

describe('keys of a terminal', () => {
  for (const [bytes, names] of [
    ['jk', ['j', 'k']],
    ['\u001b[A\u001b[B\u001b[C\u001b[D', ['up', 'down', 'right', 'left']],
    ['\u001bOA\u001bOB', ['up', 'down']],
    [
      '\u001b[5~\u001b[6~\u001b[H\u001b[F\u001b[1~\u001b[4~',
      ['page-up', 'page-down', 'home', 'end', 'home', 'end'],
    ],
    ['\r\u007f\u0003', ['enter', 'backspace', 'ctrl-c']],
    ['é世', ['é', '世']],
    ['\u001b[1;5A\u001b[99~\u001b[?1;2cj', ['j']],
    ['\u0001\u0002', []],
    ['\u001bxj', ['j']],
  ] as const) {
    test(`${JSON.stringify(bytes)} is ${names.join(' ') || 'nothing'}`, () => {
      assert.deepEqual(namesOf(bytes), [...names])
    })
  }

  test('a sequence in two parts waits for its rest', () => {
    const first = toKeys('j\u001b[')
    assert.deepEqual(first, { keys: [{ name: 'j' }], rest: '\u001b[' })
    assert.deepEqual(toKeys(`${first.rest}A`).keys, [{ name: 'up' }])
    assert.deepEqual(toKeys('\u001b'), { keys: [], rest: '\u001b' })
  })

  test('pasted text is one key, so that it cancels no loop', () => {
    const { keys, rest } = toKeys('\u001b[200~cy\r\u001b[201~j')
    assert.deepEqual(keys, [{ name: 'paste', text: 'cy\r' }, { name: 'j' }])
    assert.equal(rest, '')
  })

  test('a paste that never ends is cut', () => {
    const { keys, rest } = toKeys(`\u001b[200~${'x'.repeat(5_000)}`)
    assert.equal(keys.length, 1)
    assert.equal(rest, '')
  })
})
