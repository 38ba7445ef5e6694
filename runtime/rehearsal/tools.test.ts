import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { planCall, type Tool } from './tools.ts'

const text = { type: 'string' }
const tool = (name: string, properties: object, required = Object.keys(properties)): Tool => ({
  name,
  parameters: { type: 'object', properties, required },
})

// Tools as agents really offer them, cut down to what matters.
const read = tool('read', { path: text, offset: { type: 'number' } }, ['path'])
const bash = tool('bash', { command: text, timeout: { type: 'number' } }, ['command'])
const pair = { type: 'object', properties: { oldText: text, newText: text } }
const editList = tool('edit', { path: text, edits: { type: 'array', items: pair } })
const editPair = tool('edit_file', { path: text, old_text: text, new_text: text })
const editor = tool('file_editor', {
  command: { type: 'string', enum: ['view', 'create', 'str_replace'] },
  path: text,
  old_str: text,
  new_str: text,
  security_risk: { type: 'string', enum: ['LOW', 'HIGH'] },
})
const replace = tool('replace', {
  instruction: text,
  file_path: text,
  old_string: text,
  new_string: text,
})
const stdin = tool('write_stdin', { session_id: { type: 'integer' }, cmd: text })
const exec = tool('exec_command', { cmd: text, tty: { type: 'boolean' } }, ['cmd'])
const shell = tool('shell', { command: { type: 'array', items: text } })
const readMany = tool('read_many_files', { path: text })

const edit = { path: 'a.js', from: 'x', to: 'y' }

describe('the call for a step', () => {
  type Case = [string, Parameters<typeof planCall>, object | undefined]
  const cases: Case[] = [
    ['words alone call nothing', [{ say: 'hello' }, [bash]], undefined],
    ['a command goes to a shell', [{ run: 'ls' }, [read, bash]], { command: 'ls' }],
    ['what feeds a command is no shell', [{ run: 'ls' }, [stdin, exec]], { cmd: 'ls' }],
    ['an editor with commands is no shell', [{ run: 'ls' }, [editor]], undefined],
    ['a shell may want a list', [{ run: 'ls' }, [shell]], { command: ['bash', '-c', 'ls'] }],
    ['a reader reads', [{ read: 'a.js' }, [bash, read]], { path: 'a.js' }],
    ['a reader gets the whole path', [{ read: 'a.js' }, [read], '/work'], { path: '/work/a.js' }],
    ['a reader of many is not used', [{ read: 'a' }, [readMany, bash]], { command: "cat 'a'" }],
    [
      'an edit as two properties',
      [{ edit }, [bash, editPair], '/work'],
      { path: '/work/a.js', old_text: 'x', new_text: 'y' },
    ],
    [
      'an edit as a list of pairs',
      [{ edit }, [editList]],
      { path: 'a.js', edits: [{ oldText: 'x', newText: 'y' }] },
    ],
    [
      'an edit as an editor command, with its other needs',
      [{ edit }, [editor]],
      { command: 'str_replace', path: 'a.js', old_str: 'x', new_str: 'y', security_risk: 'LOW' },
    ],
    [
      'an edit with an instruction beside it',
      [{ edit }, [replace]],
      { instruction: 'rehearsal', file_path: 'a.js', old_string: 'x', new_string: 'y' },
    ],
    ['nothing fits', [{ edit }, [readMany]], undefined],
    ['a schema that is none', [{ run: 'ls' }, [{ name: 'bash', parameters: {} }]], undefined],
  ]
  for (const [title, input, args] of cases) {
    test(`its arguments: ${title}`, () => assert.deepEqual(planCall(...input)?.args, args))
  }

  test('an edit by shell survives quotes and dollar signs, and fails on a text that is absent', () => {
    const folder = mkdtempSync(join(tmpdir(), 'rehearsal-tools-'))
    const path = join(folder, 'it.js')
    writeFileSync(path, `say('$& it')\n`)
    const change = { path, from: `'$& it'`, to: `"it's $1\n\`x\`"` }
    const command = String(planCall({ edit: change }, [bash])?.args.command)
    const run = () => execFileSync('bash', ['-c', command], { stdio: 'pipe' })
    run()
    assert.equal(readFileSync(path, 'utf8'), `say("it's $1\n\`x\`")\n`)
    assert.throws(run, /does not stand there once/)
    rmSync(folder, { recursive: true })
  })
})
