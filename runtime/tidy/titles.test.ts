// biome-ignore-all lint/suspicious/noTemplateCurlyInString: planted source text holds templates.
import { describe } from 'node:test'
import { testPlanted } from './planted.ts'
import { leftOutRule, titleRule } from './titles.ts'

const path = 'runtime/a/a.test.ts'
const here = ['runtime/a/a.test.ts:1']

describe('the rules on tests', () => {
  testPlanted(titleRule, {
    'a title of one word is no sentence': { files: { [path]: `test('works', f)` }, found: here },
    'a full stop is left out of titles': {
      files: { [path]: `test('a loop can end.', f)` },
      found: here,
    },
    'a title twice in a file is told': {
      files: { [path]: `test('a loop ends', f)\nit("a loop ends", g)` },
      found: ['runtime/a/a.test.ts:2'],
      says: /line 1/,
    },
    'titles made in a table may look alike': {
      files: { [path]: 'test(`${a} is refused`, f)\ntest(`${a} is refused`, f)' },
      found: [],
    },
    "a regular expression's test is none": { files: { [path]: `/a/.test('b')` }, found: [] },
  })
  testPlanted(leftOutRule, {
    'a test alone leaves out the others': {
      files: { [path]: `test.only('a loop ends', f)` },
      found: here,
    },
    'a skipped suite is told': { files: { [path]: `describe.skip('a', f)` }, found: here },
    'a skip by option is told': {
      files: { [path]: `test('a loop ends', { skip: !has }, f)` },
      found: here,
    },
    'a skip from inside is told': {
      files: { [path]: `test('a loop ends', (t) => t.skip('no'))` },
      found: here,
    },
    'another option is fine': {
      files: { [path]: `test('a loop ends', { timeout: 1 }, f)` },
      found: [],
    },
  })
})
