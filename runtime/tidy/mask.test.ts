// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates inside strings are what is tested.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { mask } from './mask.ts'

describe('mask', () => {
  for (const [title, text, code, quoted] of [
    ['a comment is neither code nor quoted', 'a // b', 'a     ', '      '],
    ['a block comment keeps its lines', 'a /*\n*/ b', 'a   \n   b', '    \n    '],
    ['a string keeps its quotes in the code', `f('x')`, `f(' ')`, '   x  '],
    ['an escaped quote does not end a string', `'a\\'b' c`, `'    ' c`, ` a\\'b   `],
    ['a comment sign in a string is no comment', `'//' + b`, `'  ' + b`, ` //     `],
    ['the hole of a template is code', '`a${b}c`', '` ${b} `', ' a    c '],
    ['a brace in a hole does not end it', '`${f({})}z`', '`${f({})} `', '         z '],
    ['a template in a hole is a template', '`${`x`}y`', '`${` `} `', '    x  y '],
    ['an escaped back-tick does not end a template', '`a\\`b`', '`    `', ' a\\`b '],
    [
      'a quote in a regular expression opens nothing',
      `x = /'/ + 'y'`,
      `x = / / + ' '`,
      `           y `,
    ],
    ['a division is no regular expression', `a / b / 'c'`, `a / b / ' '`, `         c `],
  ] as const) {
    test(title, () => assert.deepEqual(mask(text), { code, quoted }))
  }

  test('both answers are as long as the text', () => {
    const text = `const a = \`x\${'y'}\` // z\n/* b */ /r/.test(a)`
    const { code, quoted } = mask(text)
    assert.equal(code.length, text.length)
    assert.equal(quoted.length, text.length)
  })
})
