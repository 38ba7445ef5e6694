import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { testPlanted } from './planted.ts'
import { createFunctionSizeRule, fileSizeRule, findFunctions, functionSizeRule } from './size.ts'
import { createTree } from './tree.ts'

const lines = (count: number) => '  work\n'.repeat(count)
const path = 'runtime/a/a.ts'

describe('the file size rule', () => {
  testPlanted(fileSizeRule, {
    'four hundred and one lines are too many': {
      files: { [path]: 'a\n'.repeat(401) },
      found: ['runtime/a/a.ts:400'],
    },
    'four hundred lines may stand': { files: { [path]: 'a\n'.repeat(400) }, found: [] },
  })
})

describe('the function size rule', () => {
  testPlanted(functionSizeRule, {
    'a function of seventy-one lines is too long': {
      files: { [path]: `\nfunction f() {\n${lines(69)}}` },
      found: ['runtime/a/a.ts:2'],
      says: /f has 71 lines/,
    },
    'a function of seventy lines may stand': {
      files: { [path]: `function f() {\n${lines(68)}}` },
      found: [],
    },
    'lines of a named function inside are its own': {
      files: { [path]: `function f() {\n${lines(50)}  function g() {\n${lines(50)}  }\n}` },
      found: [],
    },
    'lines of a callback inside are not': {
      files: { [path]: `function f() {\n${lines(50)}  g(() => {\n${lines(50)}  })\n}` },
      found: ['runtime/a/a.ts:1'],
    },
    'the wiring of a role may be long': {
      files: { 'runtime/a/role.ts': `async function startA() {\n${lines(80)}}` },
      found: [],
    },
    'a suite of tests may be long': {
      files: { 'runtime/a/a.test.ts': `describe('a', () => {\n${lines(80)}})` },
      found: [],
    },
  })
  testPlanted(createFunctionSizeRule({ 'runtime/a/a.ts f': 80 }), {
    'a listed function may stay': { files: { [path]: `function f() {\n${lines(78)}}` }, found: [] },
    'a listed function may not grow': {
      files: { [path]: `function f() {\n${lines(79)}}` },
      found: ['runtime/a/a.ts:1'],
      says: /81 lines, 80 at most/,
    },
    'a listed function that shrank gets a lower figure': {
      files: { [path]: `function f() {\n${lines(77)}}` },
      found: ['runtime/a/a.ts:1'],
      says: /write 79/,
    },
  })

  for (const [text, name] of [
    ['async function f() {\n}', 'f'],
    ['export const g = async (a: string) => {\n}', 'g'],
    ['function h(\n  a: () => void,\n): Promise<void> {\n}', 'h'],
    ['  method(a = {}): { b: string } {\n  }', 'method'],
    ['const i = (a) => (b) => {\n}', 'i'],
  ] as const) {
    test(`${name} is found as a function`, () => {
      const found = findFunctions(createTree({ [path]: text }).get(path)!)
      assert.deepEqual(
        found.map((place) => place.name),
        [name],
      )
    })
  }

  test('blocks, classes and objects are no functions', () => {
    const text = [
      'if (a) {',
      '}',
      'for await (const a of b) {',
      '}',
      'class C extends D {',
      '}',
      'const a = {',
      '}',
      'try {',
      '} catch (e) {',
      '}',
    ].join('\n')
    assert.deepEqual(findFunctions(createTree({ [path]: text }).get(path)!), [])
  })
})
