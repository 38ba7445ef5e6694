import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { ChangedFile, Changes } from '../api.ts'
import { readChanges } from './diff.ts'
import { parseEntries } from './diff-entries.ts'
import { createPatchReader } from './diff-patches.ts'

type Entry = { path: string | Buffer; mode?: string; text?: string | Buffer; sha?: string }

describe('what a commit changed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'diff-'))
  const work = { path: folder, loop: 'x' }
  const git = (args: string[], input?: string | Buffer) =>
    execFileSync('git', ['-C', folder, ...args], { input: input ?? '', maxBuffer: 1e8 })
      .toString()
      .trim()
  before(() => void git(['init', '--quiet', '--bare', '--template=', '.']))
  after(() => rmSync(folder, { recursive: true, force: true }))

  /** A tree as an agent could write it, also where no file system would hold it. */
  const tree = (entries: Entry[]): string => {
    rmSync(join(folder, 'index'), { force: true })
    const lines = entries.map(({ path, mode = '100644', text = '', sha }) => {
      const id = sha ?? git(['hash-object', '-w', '--stdin'], text)
      return Buffer.concat([Buffer.from(`${mode} ${id}\t`), Buffer.from(path), Buffer.from([0])])
    })
    git(['update-index', '-z', '--add', '--index-info'], Buffer.concat(lines))
    return git(['write-tree'])
  }
  const commit = (entries: Entry[]) => {
    const who = { GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a', GIT_COMMITTER_NAME: 'a' }
    return execFileSync('git', ['-C', folder, 'commit-tree', tree(entries), '-m', 'x'], {
      env: { ...process.env, ...who, GIT_COMMITTER_EMAIL: 'a' },
    })
      .toString()
      .trim()
  }
  const changes = (before: Entry[], now: Entry[]): Promise<Changes> =>
    readChanges(work, commit(before), commit(now))
  const only = async (before: Entry[], now: Entry[]): Promise<ChangedFile> => {
    const { files } = await changes(before, now)
    assert.equal(files.length, 1)
    return files[0]!
  }

  test('an added, a changed and a deleted file have their lines', async () => {
    const before = [
      { path: 'a', text: '1\n2\n3\n' },
      { path: 'gone', text: 'x\n' },
    ]
    const now = [
      { path: 'a', text: '1\n2!\n3\n' },
      { path: 'new', text: 'y\nz\n' },
    ]
    const { files, counts, isCut } = await changes(before, now)
    assert.deepEqual(
      files.map(({ path, status, additions, deletions, patch }) => [
        ...[path, status, additions, deletions, patch],
      ]),
      [
        ['a', 'modified', 1, 1, '@@ -1,3 +1,3 @@\n 1\n-2\n+2!\n 3\n'],
        ['gone', 'deleted', 0, 1, '@@ -1 +0,0 @@\n-x\n'],
        ['new', 'added', 2, 0, '@@ -0,0 +1,2 @@\n+y\n+z\n'],
      ],
    )
    assert.deepEqual([counts, isCut], [{ files: 3, additions: 3, deletions: 2 }, false])
  })

  test('the same commit twice is no change', async () => {
    const sha = commit([{ path: 'a' }])
    const { files, counts } = await readChanges(work, sha, sha)
    assert.deepEqual([files, counts.files], [[], 0])
  })

  test('a renamed file names both, and has only what differs', async () => {
    const text = Array.from({ length: 50 }, (_, at) => `line ${at}\n`).join('')
    const file = await only(
      [{ path: 'old name', text }],
      [{ path: 'new name', text: `${text}more\n` }],
    )
    assert.deepEqual(
      [file.path, file.oldPath, file.status, file.additions, file.deletions],
      ['new name', 'old name', 'renamed', 1, 0],
    )
    assert.match(file.patch, /\+more\n$/)
  })

  test('a change of the mode alone has no patch and both modes', async () => {
    const file = await only([{ path: 'a', text: 'x' }], [{ path: 'a', text: 'x', mode: '100755' }])
    assert.deepEqual(
      [file.status, file.oldMode, file.mode, file.patch, file.isCut],
      ['modified', '100644', '100755', '', false],
    )
  })

  test('a file that becomes a symlink is one change, and the files behind it keep their patches', async () => {
    const { files } = await changes(
      [
        { path: 'a', text: 'x\n' },
        { path: 'b', text: '1\n' },
      ],
      [
        { path: 'a', text: '/etc/passwd', mode: '120000' },
        { path: 'b', text: '2\n' },
      ],
    )
    assert.deepEqual(
      files.map(({ path, status, patch }) => [path, status, patch]),
      [
        [
          'a',
          'type',
          '@@ -1 +0,0 @@\n-x\n@@ -0,0 +1 @@\n+/etc/passwd\n\\ No newline at end of file\n',
        ],
        ['b', 'modified', '@@ -1 +1 @@\n-1\n+2\n'],
      ],
    )
  })

  test('a submodule is told by its commits, and nothing is fetched', async () => {
    const [one, other] = ['1'.repeat(40), '2'.repeat(40)]
    const file = await only(
      [{ path: 'lib', mode: '160000', sha: one }],
      [{ path: 'lib', mode: '160000', sha: other }],
    )
    assert.equal(
      file.patch,
      `@@ -1 +1 @@\n-Subproject commit ${one}\n+Subproject commit ${other}\n`,
    )
  })

  test('a binary file has no patch', async () => {
    const file = await only(
      [{ path: 'a', text: Buffer.from([1, 0, 2]) }],
      [{ path: 'a', text: Buffer.from([1, 0, 3]) }],
    )
    assert.deepEqual([file.isBinary, file.patch, file.isCut], [true, '', false])
  })

  test('a huge file counts as binary, and takes no time', async () => {
    const file = await only([], [{ path: 'a', text: Buffer.alloc(30 * 1024 ** 2, 'a line\n') }])
    assert.deepEqual([file.status, file.isBinary, file.patch], ['added', true, ''])
  })

  for (const name of [
    'a b',
    'with "quotes"',
    'new\nline',
    'diff --git a/x b/x',
    '@@ -1 +1 @@',
    ':100644 100644 x',
    '3\t1\tname',
    '-option',
    '\u001b[31mred',
    '<script>alert(1)</script>',
    'ümläut ✓',
  ]) {
    test(`a name is taken as it is: ${JSON.stringify(name)}`, async () => {
      const { files } = await changes(
        [
          { path: name, text: 'old\n' },
          { path: 'zz', text: '1\n' },
        ],
        [
          { path: name, text: 'new\n' },
          { path: 'zz', text: '2\n' },
        ],
      )
      const patches = Object.fromEntries(files.map(({ path, patch }) => [path, patch]))
      assert.deepEqual(patches, {
        [name]: '@@ -1 +1 @@\n-old\n+new\n',
        zz: '@@ -1 +1 @@\n-1\n+2\n',
      })
    })
  }

  test('a name that is no UTF-8 is shown with marks in place of its bytes', async () => {
    const file = await only([], [{ path: Buffer.from([0x61, 0xff, 0x62]), text: 'x\n' }])
    assert.equal(file.path, 'a\uFFFDb')
  })

  test('lines that look like the head of another file stay lines of this one', async () => {
    const text = 'diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n:100644\n'
    const { files } = await changes(
      [],
      [
        { path: 'a', text },
        { path: 'b', text: 'b\n' },
      ],
    )
    assert.equal(files[0]!.patch.split('\n').filter((line) => line.startsWith('+')).length, 5)
    assert.equal(files[1]!.patch, '@@ -0,0 +1 @@\n+b\n')
  })

  test('attributes of the tree start nothing and hide nothing', async () => {
    const mark = join(folder, 'touched')
    git(['config', 'diff.evil.command', `touch ${mark}`])
    git(['config', 'diff.evil.textconv', `touch ${mark}; cat`])
    const attributes = { path: '.gitattributes', text: '* diff=evil\nhidden -diff\n* filter=x\n' }
    const { files } = await changes(
      [attributes, { path: 'a', text: '1\n' }, { path: 'hidden', text: '1\n' }],
      [attributes, { path: 'a', text: '2\n' }, { path: 'hidden', text: '2\n' }],
    )
    assert.deepEqual(
      files.map(({ patch }) => patch),
      ['@@ -1 +1 @@\n-1\n+2\n', '@@ -1 +1 @@\n-1\n+2\n'],
    )
    assert.equal(existsSync(mark), false)
  })

  test('of more than 500 files the first are told, and all are counted', async () => {
    const many = Array.from({ length: 620 }, (_, at) => ({ path: `f${at}`, text: `${at}\n` }))
    const { files, counts, isCut } = await changes([], many)
    assert.deepEqual([files.length, counts.files, counts.additions, isCut], [500, 620, 620, true])
    assert.ok(files.every(({ patch, isCut }) => patch !== '' && !isCut))
  })

  test('one long patch is cut, and leaves room for the others', async () => {
    const long = 'a line of some length\n'.repeat(20_000)
    const { files, isCut } = await changes(
      [],
      [
        { path: 'a', text: long },
        { path: 'b', text: 'short\n' },
      ],
    )
    assert.deepEqual(
      files.map(({ patch, isCut, additions }) => [patch, isCut, additions]),
      [
        ['', true, 20_000],
        ['@@ -0,0 +1 @@\n+short\n', false, 1],
      ],
    )
    assert.equal(isCut, true)
  })

  test('all patches together stay under 1 MiB, each of whole hunks', async () => {
    const text = (at: number) => `${at} of some length\n`.repeat(8_000)
    const many = Array.from({ length: 12 }, (_, at) => ({ path: `f${at}`, text: text(at) }))
    const { files } = await changes([], many)
    const bytes = files.reduce((sum, { patch }) => sum + Buffer.byteLength(patch), 0)
    assert.ok(bytes > 500_000 && bytes <= 1024 ** 2, `${bytes}`)
    assert.ok(files.every(({ patch, isCut }) => isCut === (patch === '')))
  })

  test('a list that git did not print is refused', () => {
    for (const text of [
      ':100644 100644 x',
      `:100644 100644 ${'a'.repeat(40)} ${'b'.repeat(40)} M\0a\0`,
      `:100644 100644 ${'a'.repeat(40)} ${'b'.repeat(40)} X\0a\x001\t1\ta\0`,
      'more\0',
    ])
      assert.throws(() => parseEntries(text))
  })

  test('patches come out the same, however the bytes are cut', () => {
    const text =
      'diff --git a/a b/a\nindex 1..2\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-ü\n+y\n@@ -9 +9 @@\n-1\n+2\n' +
      'diff --git a/b b/b\nold mode 1\nnew mode 2\ndiff --git a/c b/c\n@@ -0,0 +1 @@\n+c\n'
    const bytes = Buffer.from(text)
    for (let size = 1; size < bytes.length; size += 1) {
      const reader = createPatchReader([{ sections: 1 }, { sections: 1 }, { sections: 1 }])
      for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size))
      assert.deepEqual(
        reader.end().map(({ text }) => text),
        ['@@ -1 +1 @@\n-ü\n+y\n@@ -9 +9 @@\n-1\n+2\n', '', '@@ -0,0 +1 @@\n+c\n'],
      )
    }
  })
})
