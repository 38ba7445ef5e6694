import { describe } from 'node:test'
import { testPlanted } from './planted.ts'
import { cycleRule, deadFileRule, effectRule, importRule } from './structure.ts'

const roomA = 'runtime/a/a.ts'
const roomB = { 'runtime/b/api.ts': '', 'runtime/b/inside.ts': '' }

describe('the import rule', () => {
  testPlanted(importRule, {
    "the inside of another room can't be imported": {
      files: { [roomA]: `\nimport { x } from '../b/inside.ts'`, ...roomB },
      found: ['runtime/a/a.ts:2'],
      says: /runtime\/b\/api\.ts/,
    },
    "another room's wire types can be imported": {
      files: { [roomA]: `import type { X } from '../b/api.ts'`, ...roomB },
      found: [],
    },
    "another room's wire types are not values": {
      files: { [roomA]: `import { X } from '../b/api.ts'`, ...roomB },
      found: ['runtime/a/a.ts:1'],
      says: /import type/,
    },
    'the script of a Svelte part is code, and its line is told': {
      files: {
        'runtime/a/part.svelte': `<p>it's {x}</p>\n<script lang="ts">\n  import { x } from '../b/inside.ts'\n</script>`,
        ...roomB,
      },
      found: ['runtime/a/part.svelte:3'],
    },
    'a room that is a workspace may use its own packages, and another room may not': {
      files: {
        'runtime/a/package.json': '{"dependencies":{"own":"1.0.0"}}',
        [roomA]: `import { x } from 'own'`,
        'runtime/b/b.ts': `import { x } from 'own'`,
      },
      found: ['runtime/b/b.ts:1'],
      says: /own is not in package.json/,
    },
    'a dynamic import is an import': {
      files: { [roomA]: `const x = () => import('../b/inside.ts')`, ...roomB },
      found: ['runtime/a/a.ts:1'],
    },
    'an export from another room is an import': {
      files: { [roomA]: `export {\n  x,\n} from '../b/inside.ts'`, ...roomB },
      found: ['runtime/a/a.ts:1'],
    },
    'what starts the rooms may import them': {
      files: { 'runtime/start/all.ts': `import { x } from '../b/inside.ts'`, ...roomB },
      found: [],
    },
    'nothing that ships imports what never ships': {
      files: {
        'runtime/start/all.ts': `import { x } from '../testing/db.ts'`,
        'runtime/testing/db.ts': '',
      },
      found: ['runtime/start/all.ts:1'],
    },
    "a room's own help for its tests does not ship either": {
      files: { [roomA]: `import { x } from './testing.ts'`, 'runtime/a/testing.ts': '' },
      found: ['runtime/a/a.ts:1'],
      says: /never ships/,
    },
    'a test may import the rooms that help testing': {
      files: {
        'runtime/a/a.test.ts': `import { x } from '../testing/db.ts'`,
        'runtime/testing/db.ts': '',
      },
      found: [],
    },
    'what never ships may import rooms': {
      files: { 'runtime/a/testing.ts': `import { x } from '../b/inside.ts'`, ...roomB },
      found: [],
    },
    'a program beside the rooms may import them': {
      files: { 'runtime/main.ts': `import { x } from './b/inside.ts'`, ...roomB },
      found: [],
    },
    'the kernel is imported by its name': {
      files: { [roomA]: `import { x } from '../kernel/x.ts'`, 'runtime/kernel/x.ts': '' },
      found: ['runtime/a/a.ts:1'],
      says: /#kernel\/x\.ts/,
    },
    'the kernel imports no room': {
      files: { 'runtime/kernel/x.ts': `import { x } from '../b/inside.ts'`, ...roomB },
      found: ['runtime/kernel/x.ts:1'],
    },
    'a file that is not there is told': {
      files: { [roomA]: `import { x } from './gone.ts'` },
      found: ['runtime/a/a.ts:1'],
    },
    'a module of node says so in its name': {
      files: { [roomA]: `import { join } from 'path'` },
      found: ['runtime/a/a.ts:1'],
      says: /node:path/,
    },
    'a package stands in package.json': {
      files: {
        [roomA]: `import { z } from 'zod/v4'\nimport w from '@a/w'`,
        'package.json': `{"dependencies":{"zod":"4"}}`,
      },
      found: ['runtime/a/a.ts:2'],
      says: /package\.json/,
    },
    'an import in a comment or a string is none': {
      files: { [roomA]: `// import 'gone'\nconst a = \`\nimport 'gone'\n\`` },
      found: [],
    },
  })
})

describe('the cycle rule', () => {
  testPlanted(cycleRule, {
    'two modules that need each other are told': {
      files: {
        'runtime/a/x.ts': `import { y } from './y.ts'`,
        'runtime/a/y.ts': `\nimport { x } from './x.ts'`,
      },
      found: ['runtime/a/y.ts:2'],
      says: /x\.ts -> runtime\/a\/y\.ts -> runtime\/a\/x\.ts/,
    },
    'a circle that types close is none': {
      files: {
        'runtime/a/x.ts': `import { y } from './y.ts'`,
        'runtime/a/y.ts': `import type { X } from './x.ts'`,
      },
      found: [],
    },
  })
})

describe('the dead file rule', () => {
  testPlanted(deadFileRule, {
    'a file that only its own test imports is dead': {
      files: {
        'runtime/a/old.ts': '',
        'runtime/a/old.test.ts': `import { x } from './old.ts'`,
      },
      found: ['runtime/a/old.ts:1'],
    },
    'a file that another imports, as a type too, is alive': {
      files: { 'runtime/a/main.ts': `import type { X } from './x.ts'`, 'runtime/a/x.ts': '' },
      found: [],
    },
    'a file that a Svelte part imports, or its markup loads, is alive': {
      files: {
        'runtime/a/main.ts': `import Page from './page.svelte'`,
        'runtime/a/page.svelte': `<script lang="ts">\n  import { x } from './x.ts'\n</script>\n{#await import('./late.svelte') then Late}<Late />{/await}`,
        'runtime/a/x.ts': '',
        'runtime/a/late.svelte': '',
        'runtime/a/dead.svelte': '',
      },
      found: ['runtime/a/dead.svelte:1'],
    },
    'a worker that is started by its path is alive': {
      files: {
        'runtime/a/main.ts': `new Worker(new URL('./worker.ts', import.meta.url))`,
        'runtime/a/worker.ts': '',
      },
      found: [],
    },
    'a name in a comment keeps no file alive': {
      files: { 'runtime/a/main.ts': `// see './gone.ts'`, 'runtime/a/gone.ts': '' },
      found: ['runtime/a/gone.ts:1'],
    },
    'what helps testing is alive when a test uses it': {
      files: {
        'runtime/testing/db.ts': '',
        'runtime/testing/unused.ts': '',
        'runtime/a/x.test.ts': `import { x } from '../testing/db.ts'`,
      },
      found: ['runtime/testing/unused.ts:1'],
    },
  })
})

describe('the rule on effects at import', () => {
  testPlanted(effectRule, {
    'a call at the top is told': {
      files: { [roomA]: `import { f } from './f.ts'\nf()` },
      found: ['runtime/a/a.ts:2'],
      says: /main\.ts/,
    },
    'waiting at the top is told': {
      files: { [roomA]: 'export const a = await f()' },
      found: ['runtime/a/a.ts:1'],
    },
    'a program may act': { files: { 'runtime/a/main.ts': 'f()' }, found: [] },
    'what runs only as a program is no effect': {
      files: { [roomA]: 'if (import.meta.main) {\n  f()\n}' },
      found: [],
    },
    'the end of a long template is no effect': {
      files: { [roomA]: 'const a = `\nb\n`' },
      found: [],
    },
    'declarations are no effects': {
      files: {
        [roomA]:
          'export const a = {\n  b: 1,\n} as const\nasync function f() {\n  g()\n}\nclass C {}\n',
      },
      found: [],
    },
  })
})
