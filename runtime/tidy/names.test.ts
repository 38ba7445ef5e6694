import { describe } from 'node:test'
import { bannedNameRule, defaultExportRule, kebabCaseRule } from './names.ts'
import { testPlanted } from './planted.ts'

describe('the rules on names', () => {
  testPlanted(bannedNameRule, {
    'a file named for nothing is told': {
      files: { 'runtime/a/utils.ts': '' },
      found: ['runtime/a/utils.ts:1'],
    },
    'a banned word within a name is told': {
      files: { 'runtime/a/loop-manager.ts': '' },
      found: ['runtime/a/loop-manager.ts:1'],
    },
    'a folder named for nothing is told': {
      files: { 'runtime/helpers/a.ts': '' },
      found: ['runtime/helpers/a.ts:1'],
    },
    'a word that only begins like one is fine': {
      files: { 'runtime/a/baseline.ts': '' },
      found: [],
    },
  })
  testPlanted(kebabCaseRule, {
    'a name with capitals is told': {
      files: { 'runtime/a/loopFile.ts': '' },
      found: ['runtime/a/loopFile.ts:1'],
      says: /loop-file\.ts/,
    },
    'a name in kebab-case is fine': {
      files: { 'runtime/a/loop-file.prop.test.ts': '' },
      found: [],
    },
  })
  testPlanted(defaultExportRule, {
    'a default export is told': {
      files: { 'runtime/a/a.ts': '\nexport default 1' },
      found: ['runtime/a/a.ts:2'],
    },
    'an export renamed to default is told': {
      files: { 'runtime/a/a.ts': 'export { a as default }' },
      found: ['runtime/a/a.ts:1'],
    },
    "a tool's config may have one": { files: { 'vite.config.ts': 'export default {}' }, found: [] },
  })
})
