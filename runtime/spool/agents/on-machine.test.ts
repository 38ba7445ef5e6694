import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { locate } from './on-machine.ts'
import { type AgentName, profiles } from './profiles.ts'
import { findInstalled, inventoryFile, readInventory } from './programs.ts'

describe('agents of this machine', () => {
  const home = mkdtempSync(join(tmpdir(), 'machine-'))
  after(() => rmSync(home, { recursive: true }))

  const write = (path: string, content: string | object = '', mode = 0o755) => {
    const file = join(home, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
    chmodSync(file, mode)
    return file
  }
  const link = (target: string, path: string) => {
    mkdirSync(dirname(join(home, path)), { recursive: true })
    symlinkSync(target, join(home, path))
  }
  const find = (name: AgentName, folder: string, skipped: string[] = []) =>
    locate(name, profiles[name], { folders: [join(home, 'empty'), join(home, folder)], skipped })
  const good = (located: ReturnType<typeof find>) => {
    assert.ok(located && 'found' in located, JSON.stringify(located))
    return located
  }
  const refusal = (located: ReturnType<typeof find>) => {
    assert.ok(located && 'refused' in located, JSON.stringify(located))
    return located.refused
  }

  test('a script of npm is brought with its package and with all that this needs', () => {
    const modules = 'npm/lib/node_modules'
    const own = `${modules}/@google/gemini-cli`
    const needs = { dependencies: { near: '1', beside: '1' }, optionalDependencies: { gone: '1' } }
    write(`${own}/package.json`, { name: '@google/gemini-cli', version: '0.61.0', ...needs })
    write(`${own}/bundle/gemini.js`, '#!/usr/bin/env node')
    write(`${own}/node_modules/near/package.json`, { name: 'near' })
    write(`${modules}/beside/package.json`, { name: 'beside', dependencies: { deep: '1' } })
    write(`${modules}/deep/package.json`, { name: 'deep' })
    write(`${modules}/foreign/package.json`, { name: 'foreign' })
    link('../lib/node_modules/@google/gemini-cli/bundle/gemini.js', 'npm/bin/gemini')
    const { found, links } = good(find('gemini', 'npm/bin'))
    assert.equal(found.version, '0.61.0')
    assert.equal(found.from, join(home, 'npm/bin/gemini'))
    assert.deepEqual(found.run, [
      '{{node}}',
      '{{app}}/agents/gemini/node_modules/@google/gemini-cli/bundle/gemini.js',
    ])
    assert.deepEqual(
      links.map(({ from, to }) => [from, to]),
      [
        ['@google/gemini-cli', `agents/gemini/node_modules/@google/gemini-cli`],
        ['beside', 'agents/gemini/node_modules/beside'],
        ['deep', 'agents/gemini/node_modules/deep'],
      ].map(([name, to]) => [join(home, modules, name!), to]),
    )
  })

  test('a program of one file is brought alone, from wherever its installer put it', () => {
    write('curl/share/claude/versions/2.1.330', '\x7fELF…')
    link('../share/claude/versions/2.1.330', 'curl/bin/claude')
    const { found, links } = good(find('claude', 'curl/bin'))
    assert.equal(found.version, '2.1.330')
    assert.deepEqual(found.run, ['{{app}}/agents/claude/2.1.330'])
    assert.deepEqual(links, [
      { from: join(home, 'curl/share/claude/versions/2.1.330'), to: 'agents/claude/2.1.330' },
    ])
  })

  test('the native program is found in the part of a package whose install script did not run', () => {
    const modules = 'parts/node_modules'
    write(`${modules}/opencode-ai/package.json`, { name: 'opencode-ai', version: '1.18.33' })
    write(`${modules}/opencode-ai/bin/opencode.exe`, '#!/bin/sh')
    link('../node_modules/opencode-ai/bin/opencode.exe', 'parts/bin/opencode')
    assert.match(
      refusal(find('opencode', 'parts/bin')),
      /opencode-linux-.* is missing\. Install it by/,
    )
    const part = `opencode-linux-${process.arch}`
    write(`${modules}/${part}/package.json`, { name: part, version: '1.18.33' })
    write(`${modules}/${part}/bin/opencode`, '\x7fELF…')
    const { found, links } = good(find('opencode', 'parts/bin'))
    assert.deepEqual([found.version, ...found.run], ['1.18.33', '{{app}}/agents/opencode/opencode'])
    assert.equal(links.length, 1)
  })

  const answer = (base: string, version: string) =>
    JSON.stringify({
      version,
      base,
      program: join(base, `bin/python${version}`),
      site: join(home, 'venv/site'),
    })
  const writePython = (folder: string, version: string) => {
    const base = join(home, folder)
    write(`${folder}/lib/python${version}/os.py`)
    write(`${folder}/lib/python${version}/test/huge.py`)
    write(`${folder}/lib/python${version}/site-packages/other.py`)
    write(`${folder}/lib/libpython${version}.so.1.0`)
    return write(`${folder}/bin/python${version}`, `#!/bin/sh\necho '${answer(base, version)}'\n`)
  }

  test("a Python program is brought with its interpreter's library and its own packages, as one tree", () => {
    const python = writePython('py', '3.12')
    write('venv/site/openhands-1.16.0.dist-info/METADATA', 'Name: openhands\nVersion: 1.16.0\n')
    write('venv/bin/openhands', `#!${python}\nimport x\n`)
    const { found, links } = good(find('openhands', 'venv/bin'))
    assert.equal(found.version, '1.16.0')
    const tree = 'agents/openhands/python'
    assert.deepEqual(found.run, [
      `{{app}}/${tree}/bin/python3.12`,
      '-m',
      'openhands_cli.entrypoint',
    ])
    assert.equal(found.env['LD_LIBRARY_PATH'], `{{app}}/${tree}/lib`)
    assert.deepEqual(
      links.map(({ to }) => to),
      [
        `${tree}/bin/python3.12`,
        `${tree}/lib/python3.12/os.py`,
        `${tree}/lib/libpython3.12.so.1.0`,
        `${tree}/lib/python3.12/site-packages`,
      ],
    )
  })

  test('a Python of another version, or a script that names none, is refused with what to do', () => {
    const python = writePython('old', '3.11')
    write('wrong/bin/openhands', `#!${python}\n`)
    assert.match(
      refusal(find('openhands', 'wrong/bin')),
      /needs Python 3\.12, .* is 3\.11\. Install/,
    )
    write('odd/bin/openhands', '#!/bin/sh\n')
    assert.match(refusal(find('openhands', 'odd/bin')), /names no Python\. Install it by: pip/)
  })

  test('one that breaks whoever looks at it is refused, and the others are found', () => {
    const noisy = write('noisy/bin/python3.12', '#!/bin/sh\necho hello\n')
    write('noisy/bin/openhands', `#!${noisy}\n`)
    assert.match(
      refusal(find('openhands', 'noisy/bin')),
      /can't be looked at: .*JSON.* Install it by/,
    )
    write('bare/shims/openhands', '#!/usr/bin/env bash\n')
    assert.match(refusal(find('openhands', 'bare/shims')), /can't be looked at: ENOENT/)
  })

  test('a shim of pyenv leads to the program in one of its versions', () => {
    const python = writePython('pyenv/versions/3.12.1', '3.12')
    write('pyenv/shims/openhands', '#!/usr/bin/env bash\n')
    write('pyenv/versions/3.12.1/bin/openhands', `#!${python}\n`)
    assert.equal(good(find('openhands', 'pyenv/shims')).found.version, '1.16.0')
  })

  test('what is no program, leads nowhere, or is of this installation is passed over', () => {
    write('no/bin/codex', '', 0o644)
    link('/nowhere/gemini', 'no/bin/gemini')
    mkdirSync(join(home, 'no/bin/opencode'))
    write('no/bin/claude', '\x7fELF')
    for (const name of ['codex', 'gemini', 'opencode', 'pi'] as const) {
      assert.equal(find(name, 'no/bin'), undefined, name)
    }
    assert.equal(find('claude', 'no/bin', [join(home, 'no')]), undefined)
    assert.ok(find('claude', 'no/bin', [join(home, 'n')]), 'a folder is no prefix of another name')
  })

  test('a script that nobody here knows is refused, and not run', () => {
    write('strange/bin/codex', '#!/bin/sh\ntouch /tmp/owned\n')
    assert.match(
      refusal(find('codex', 'strange/bin')),
      /not known here\. Install it by: npm install/,
    )
  })

  test('an installation holds what lies in its packages, and builtin in any case', () => {
    write('app/package.json', { version: '9.9.9' })
    assert.deepEqual(Object.keys(findInstalled(join(home, 'app'))), ['builtin'])
    const part = `node_modules/opencode-linux-${process.arch}-baseline`
    write(`app/${part}/bin/opencode`)
    write(`app/${part}/package.json`, { version: '1.18.33' })
    const { builtin, opencode } = findInstalled(join(home, 'app'))
    assert.equal(builtin!.version, '9.9.9')
    assert.deepEqual(opencode!.run, [`{{app}}/${part}/bin/opencode`])
    assert.equal(opencode!.version, '1.18.33')
  })

  test('what was brought to a folder is read from its list', () => {
    const inventory = { found: findInstalled(join(home, 'app')), refused: { codex: 'why' } }
    write(`listed/${inventoryFile}`, inventory)
    assert.deepEqual(readInventory(join(home, 'listed')), inventory)
  })
})
