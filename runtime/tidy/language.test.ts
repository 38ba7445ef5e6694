import { describe } from 'node:test'
import { consoleRule, environmentRule, erasableRule, purityRule, sqlRule } from './language.ts'
import { testPlanted } from './planted.ts'

const path = 'runtime/a/a.ts'
const here = ['runtime/a/a.ts:1']

describe('the rules on language', () => {
  testPlanted(erasableRule, {
    "an enum can't be stripped": { files: { [path]: 'export enum A { B }' }, found: here },
    "a namespace can't be stripped": { files: { [path]: 'namespace A {\n}' }, found: here },
    "a parameter property can't be stripped": {
      files: { [path]: 'class A {\n  constructor(\n    private readonly a: string,\n  ) {}\n}' },
      found: ['runtime/a/a.ts:2'],
    },
    'a plain constructor is fine': {
      files: { [path]: 'class A {\n  readonly a: string\n  constructor(a: string) {}\n}' },
      found: [],
    },
  })
  testPlanted(environmentRule, {
    'the environment read in a room is told': {
      files: { [path]: 'const a = process.env.HOME' },
      found: here,
    },
    'the environment imported in a room is told': {
      files: { [path]: `import { env } from 'node:process'` },
      found: here,
    },
    'a program may read the environment': {
      files: { 'runtime/a/main.ts': 'const a = process.env.HOME' },
      found: [],
    },
  })
  testPlanted(purityRule, {
    'a plan that looks at the clock is told': {
      files: { 'runtime/a/plan-pool.ts': 'const a = Date.now()' },
      found: ['runtime/a/plan-pool.ts:1'],
      says: /parameter/,
    },
    'a decision by chance is told': {
      files: { 'runtime/a/decide.ts': 'const a = Math.random()' },
      found: ['runtime/a/decide.ts:1'],
    },
    'a date made from a value is fine': {
      files: { 'runtime/a/parse-date.ts': 'const a = new Date(value)' },
      found: [],
    },
    'elsewhere the clock may be read': { files: { [path]: 'const a = Date.now()' }, found: [] },
  })
  testPlanted(sqlRule, {
    'a statement among the code is told': {
      files: { [path]: 'const a = sql`\n  select id\n  from spool.loops`' },
      found: ['runtime/a/a.ts:2'],
      says: /runtime\/a\/sql\//,
    },
    'a statement that writes is told': {
      files: { [path]: `const a = 'update spool.loops set id = 1'` },
      found: here,
    },
    'a statement in sql/ is at home': {
      files: { 'runtime/a/sql/a.ts': 'const a = sql`select id from spool.loops`' },
      found: [],
    },
    'prose with the same words is fine': {
      files: { [path]: `const a = 'Select a loop from the list, or update it.'` },
      found: [],
    },
  })
  testPlanted(consoleRule, {
    'a line outside the log is told': { files: { [path]: 'console.log(1)' }, found: here },
    'a program may print': { files: { 'runtime/a/main.ts': 'console.log(1)' }, found: [] },
  })
})
