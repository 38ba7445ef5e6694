// Tab in the real shells: each in a PTY of its own, with the command in its PATH and its script loaded as a person would.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startTerminal, type TestTerminal } from '../testing/terminal.ts'
import { loop, startInstance, type TestInstance } from '../testing.ts'

const bin = fileURLToPath(new URL('../treadle.js', import.meta.url))
const tab = '\t'

type Shell = { name: string; argv: string[]; load: string; prompt: string }
const shells: Shell[] = [
  {
    name: 'bash',
    argv: ['--norc', '--noprofile', '-i'],
    load: 'source <(treadle completion bash)',
    prompt: "PS1='ready> '",
  },
  {
    name: 'zsh',
    argv: ['-f', '-i'],
    load: 'autoload -Uz compinit && compinit -D -u; source <(treadle completion zsh)',
    prompt: "PS1='ready> '",
  },
  {
    name: 'fish',
    argv: ['--no-config', '--private', '-i'],
    load: 'treadle completion fish | source',
    prompt: "function fish_prompt; echo 'ready> '; end; function fish_greeting; end",
  },
]

for (const shell of shells) {
  describe(`completion in ${shell.name}`, () => {
    let folder: string
    let instance: TestInstance
    let terminal: TestTerminal

    before(async () => {
      folder = mkdtempSync(join(tmpdir(), 'treadle-complete-'))
      mkdirSync(join(folder, 'bin'))
      mkdirSync(join(folder, 'work/deep'), { recursive: true })
      writeFileSync(join(folder, 'work/only-loop.yaml'), '')
      symlinkSync(bin, join(folder, 'bin/treadle'))
      instance = await startInstance({
        'GET /api/loops': {
          items: [
            { ...loop, id: '7f3a-1', name: 'fix-login', state: 'running' },
            { ...loop, id: '9b2c-2', name: 'add-search', state: 'ended', ending: 'done' },
          ],
          cursor: null,
        },
        'GET /api/providers': {
          items: [
            { name: 'claude-eu', kind: 'anthropic', models: ['claude-x'] },
            { name: '$(touch\u0024{IFS}pwned)', kind: 'openai', models: [] },
          ],
          cursor: null,
        },
      })
      symlinkSync(instance.folder, join(folder, 'work/st'))
      terminal = await startShell(shell, folder)
    })
    after(async () => {
      terminal[Symbol.dispose]()
      await instance[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true, force: true })
    })

    /** Types, waits for what Tab makes of it, and empties the line. */
    const complete = async (typed: string, expected: RegExp | string) => {
      terminal.type(typed)
      const screen = await terminal.shows(expected, 8_000)
      await clear()
      return screen
    }
    const clear = async () => {
      terminal.type('\u0015')
      terminal.type('\u000c')
      await terminal.shows(/^ready>$/m)
      await terminal.lacks('treadle')
    }

    test(`${shell.name}: a sub-command is completed as far as it is certain`, async () => {
      await complete(`treadle prov${tab}X`, 'treadle provider X')
      await complete(`treadle loop sh${tab}X`, 'treadle loop show X')
    })

    test(`${shell.name}: the commands of a group are listed with what they do`, async () => {
      const screen = await complete(`treadle key ${tab}${tab}`, /revoke[\s\S]*End an API key/)
      assert.match(screen, /create/)
    })

    test(`${shell.name}: options and their values are completed`, async () => {
      await complete(`treadle loop run --det${tab}X`, 'loop run --detach X')
      await complete(`treadle provider add x --kind anth${tab}X`, '--kind anthropic X')
      await complete(`treadle provider add x --kind=anth${tab}`, '--kind=anthropic')
    })

    test(`${shell.name}: ids come from the running instance, with their names`, async () => {
      await complete(`treadle --state st loop show 7${tab}`, 'loop show 7f3a-1')
      await complete(`treadle --state st loop show ${tab}${tab}`, /9b2c-2.*add-search/)
      await complete(`treadle --state st loop retry ${tab}`, 'loop retry 9b2c-2')
    })

    if (shell.name !== 'fish') {
      test(`${shell.name}: a loop's name becomes its id`, async () => {
        await complete(`treadle --state st loop show fix${tab}`, 'loop show 7f3a-1')
      })
    }

    test(`${shell.name}: a value that a shell would act on is not offered`, async () => {
      await complete(`treadle --state st provider test ${tab}X`, 'provider test claude-eu X')
    })

    test(`${shell.name}: files and folders are completed by the shell`, async () => {
      await complete(`treadle loop run only${tab}`, 'loop run only-loop.yaml')
      await complete(`treadle --state de${tab}`, '--state deep/')
    })

    test(`${shell.name}: without an instance Tab says nothing, and the prompt stays whole`, async () => {
      terminal.type(`treadle loop show --state /nowhere ${tab}${tab}x`)
      const screen = await terminal.shows(/--state \/nowhere\s+x/)
      await clear()
      assert.deepEqual(screen.trim().split('\n').length, 1, screen)
    })
  })
}

async function startShell(shell: Shell, folder: string): Promise<TestTerminal> {
  const path = `${join(folder, 'bin')}${delimiter}${process.env.PATH}`
  const env = {
    PATH: path,
    HOME: folder,
    XDG_STATE_HOME: folder,
    XDG_CACHE_HOME: join(folder, 'cache'),
    COLUMNS: undefined,
  }
  const terminal = startTerminal(shell.name, shell.argv, {
    cols: 100,
    cwd: join(folder, 'work'),
    env,
  })
  terminal.type(`${shell.prompt}; ${shell.load}; echo load''ed\r`)
  await terminal.shows(/^loaded$/m, 30_000)
  terminal.type('\u000c')
  await terminal.lacks('loaded')
  return terminal
}
