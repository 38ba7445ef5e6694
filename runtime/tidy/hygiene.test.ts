import { describe } from 'node:test'
import {
  createMachineRule,
  fileBytesRule,
  leftoverRule,
  lockRule,
  readmeCommandRule,
} from './hygiene.ts'
import { testPlanted } from './planted.ts'

const note = ['TO', 'DO'].join('')
const host = ['registry', 'example', 'org'].join('.')

describe('the rules on hygiene', () => {
  testPlanted(leftoverRule, {
    'a note to oneself is told, in any file': {
      files: { 'config/a.yaml': `a: 1\n# ${note}: b` },
      found: ['config/a.yaml:2'],
    },
    'a word that only holds one is fine': { files: { 'a.ts': `const ${note}S = 1` }, found: [] },
  })
  testPlanted(fileBytesRule, {
    'a huge file is told': { files: { 'a.bin': 'x'.repeat(500_001) }, found: ['a.bin:1'] },
    'half a megabyte may stand': { files: { 'a.bin': 'x'.repeat(500_000) }, found: [] },
  })

  const scripts = { 'package.json': '{"scripts":{"start":"x","dev":"x"}}' }
  const commands = {
    'runtime/cli/commands/loop-run.ts': '',
    'runtime/cli/commands/status.ts': '',
  }
  testPlanted(readmeCommandRule, {
    'a script that is absent is told': {
      files: { 'README.md': 'a\n`npm run gone`', ...scripts },
      found: ['README.md:2'],
    },
    'npm start and npm test are scripts as well': {
      files: { 'README.md': '`npm start` and `npm test`', ...scripts },
      found: ['README.md:1'],
    },
    'a sub-command that is absent is told': {
      files: { 'README.md': '```\ntreadle loop fly a.yaml\ntreadle gone\n```', ...commands },
      found: ['README.md:2', 'README.md:3'],
    },
    'scripts and sub-commands that exist are fine': {
      files: {
        'README.md':
          '`npm run dev`, `npm start`\n```\n$ treadle loop run a.yaml\ntreadle status\n```',
        ...scripts,
        ...commands,
      },
      found: [],
    },
    'prose within a code block is not typed': {
      files: { 'README.md': '```\ncli/   the treadle command, see `treadle --help`\n```' },
      found: [],
    },
    'prose outside code is not typed': { files: { 'README.md': 'treadle runs loops' }, found: [] },
  })
  testPlanted(createMachineRule(['/srv/clones/treadle/', '/home/somebody', '/root']), {
    'the registry of one machine is told': {
      files: { '.npmrc': `a=1\nregistry=https://${host}/` },
      found: ['.npmrc:2'],
    },
    'the path of this very clone is told': {
      files: { 'a.ts': `const a = '/srv/clones/treadle/x'` },
      found: ['a.ts:1'],
    },
    "a person's home is told": { files: { 'a.md': 'see /home/somebody/x' }, found: ['a.md:1'] },
    "a path that every machine has is no one's": {
      files: { 'a.md': 'see /home/agent/x, /root, and /srv/clones/treadle-2' },
      found: [],
    },
  })
  testPlanted(lockRule, {
    'a download address in the lock file is told': {
      files: { 'package-lock.json': '{\n"resolved": "https://x"}' },
      found: ['package-lock.json:2'],
    },
    'a lock file without addresses is fine': {
      files: { 'package-lock.json': '{"integrity": "x"}' },
      found: [],
    },
  })
})
