// The house style as a test. A rule that hurts is changed here, with its reason, and never silently passed by.
import assert from 'node:assert/strict'
import { homedir } from 'node:os'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import {
  createMachineRule,
  fileBytesRule,
  leftoverRule,
  lockRule,
  readmeCommandRule,
} from './tidy/hygiene.ts'
import { consoleRule, environmentRule, erasableRule, purityRule, sqlRule } from './tidy/language.ts'
import { bannedNameRule, defaultExportRule, kebabCaseRule } from './tidy/names.ts'
import { fileSizeRule, functionSizeRule } from './tidy/size.ts'
import { cycleRule, deadFileRule, effectRule, importRule } from './tidy/structure.ts'
import { leftOutRule, titleRule } from './tidy/titles.ts'
import { type Offence, type Rule, readTree } from './tidy/tree.ts'

const root = fileURLToPath(new URL('../', import.meta.url))
const tree = readTree(root)

const rules: Readonly<Record<string, Rule>> = {
  'a room imports only what it may': importRule,
  'no modules need each other in a circle': cycleRule,
  'every file is used': deadFileRule,
  'only programs act on import': effectRule,
  'files stay short': fileSizeRule,
  'functions stay short': functionSizeRule,
  'names say what is inside': bannedNameRule,
  'file names are in kebab-case': kebabCaseRule,
  'exports have names': defaultExportRule,
  'Node can strip every type': erasableRule,
  'the environment is read where a program begins': environmentRule,
  'decisions depend on their input alone': purityRule,
  'SQL stands in sql/ and migrations/': sqlRule,
  'programs speak through their log': consoleRule,
  'no notes to oneself are left': leftoverRule,
  'no file is huge': fileBytesRule,
  'every command of a README exists': readmeCommandRule,
  'nothing names the machine it was made on': createMachineRule([root, homedir()]),
  'the lock file holds no download address': lockRule,
  'test titles are sentences, and unique': titleRule,
  'no test is left out': leftOutRule,
}

describe('tidy', () => {
  for (const [title, rule] of Object.entries(rules)) {
    test(title, () => {
      const offences = rule(tree)
      assert.equal(offences.length, 0, `\n${offences.map(toText).join('\n')}`)
    })
  }
})

const toText = ({ path, line, what, instead }: Offence) => `${path}:${line} ${what}: ${instead}`
