import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { Failure } from './errors.ts'
import { readLoopFile } from './loop-file.ts'

describe('loop file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'treadle-loop-file-'))
  const file = join(folder, 'loop.yaml')
  after(() => rmSync(folder, { recursive: true }))

  const read = (text: string) => {
    writeFileSync(file, text)
    return readLoopFile(file)
  }
  const refusal = (text: string): Failure => {
    try {
      read(text)
    } catch (error) {
      assert.ok(error instanceof Failure)
      assert.equal(error.exitCode, 2)
      return error
    }
    return assert.fail('the file was taken')
  }

  for (const [title, text, at, says] of [
    ['broken YAML is told by line and column', 'name: a\ngates: [\n', ':3:1', /./],
    ['a key twice is told by line', 'name: a\nname: b\n', ':2:1', /unique/],
    ['a tab for an indent is told by line', 'gates:\n\t- a\n', ':2:1', /./],
    ['a list is no loop file', '- a\n', '', /keys and values/],
    ['a text is no loop file', 'hello\n', '', /keys and values/],
    ['an empty file is no loop file', '', '', /keys and values/],
    ['a loop without a prompt is told both ways to give one', 'name: a\n', ' prompt', /promptFile/],
    [
      'a prompt and its file at once are refused',
      'prompt: a\npromptFile: b\n',
      ':2 promptFile',
      /Keep one/,
    ],
    [
      'a prompt file that is a number is refused',
      'promptFile: 5\n',
      ':1 promptFile',
      /path of a text file/,
    ],
    [
      'a prompt file that is absent is told with its full path',
      'a: 1\npromptFile: no.md\n',
      ':2 promptFile',
      /no such file.*relative/,
    ],
    ['a prompt file that is a folder is refused', 'promptFile: .\n', ':1 promptFile', /a folder/],
  ] as const) {
    test(title, () => {
      const { problems } = refusal(text)
      assert.equal(problems[0]?.path, `${file}${at}`)
      assert.match(problems[0]!.message, says)
    })
  }

  test('every error of the YAML is told at once', () => {
    assert.ok(refusal('a: "\\q"\nb: "\\z"\n').problems.length > 1)
  })

  for (const [repository, sent] of [
    ['.', folder],
    ['../app', join(folder, '../app')],
    ['/srv/app', '/srv/app'],
    ['https://example.com/app.git', 'https://example.com/app.git'],
    ['git@example.com:app.git', 'git@example.com:app.git'],
    ['ext::sh -c id', 'ext::sh -c id'],
  ] as const) {
    test(`the repository ${repository} is sent so that the server can judge it`, () => {
      const { body } = read(`prompt: a\nrepository: ${repository}\n`)
      assert.equal(body.repository, sent)
    })
  }

  test('what the command does not know is left for the server to judge', () => {
    const { body } = read('prompt: a\nrepository: 5\ncolour: red\ncaps: {usd: -1}\n')
    assert.deepEqual(body, { prompt: 'a', repository: 5, colour: 'red', caps: { usd: -1 } })
  })

  test('an alias that unfolds without end is refused', () => {
    const levels = ['a: &a [x,x,x,x,x,x,x,x,x]']
    for (const [i, name] of ['b', 'c', 'd', 'e', 'f', 'g'].entries()) {
      const before = 'abcdefg'[i]
      levels.push(`${name}: &${name} [${Array(9).fill(`*${before}`).join(',')}]`)
    }
    assert.match(refusal(`${levels.join('\n')}\n`).problems[0]!.message, /alias/i)
  })

  test('a file that is absent, a folder, or too large is refused', () => {
    mkdirSync(join(folder, 'folder'))
    writeFileSync(join(folder, 'large.yaml'), `a: ${'x'.repeat(1_000_001)}`)
    for (const [name, says] of [
      ['gone.yaml', /no such file/],
      ['folder', /a folder/],
      ['large.yaml', /larger than/],
    ] as const) {
      assert.throws(() => readLoopFile(join(folder, name)), { code: 'cli/file', message: says })
    }
  })
})
