import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChangedFile } from '../../spool/api.ts'
import { planOpen, toFileNote } from './changed-file.ts'
import { toTreeRows } from './file-tree.ts'

const file = (path: string, over: Partial<ChangedFile> = {}): ChangedFile => ({
  path,
  oldPath: null,
  status: 'modified',
  oldMode: '100644',
  mode: '100644',
  additions: 1,
  deletions: 1,
  isBinary: false,
  patch: '@@',
  isCut: false,
  ...over,
})

test('folders come before files, and a chain of single folders shares a row', () => {
  const rows = toTreeRows(
    ['z.ts', 'a/b/c/one.ts', 'a/b/c/two.ts', 'd/x.ts'].map((path) => file(path)),
  )
  assert.deepEqual(
    rows.map((row) => [row.kind, row.name, row.depth, row.kind === 'file' ? row.index : null]),
    [
      ['folder', 'a/b/c', 0, null],
      ['file', 'one.ts', 1, 0],
      ['file', 'two.ts', 1, 1],
      ['folder', 'd', 0, null],
      ['file', 'x.ts', 1, 2],
      ['file', 'z.ts', 0, 3],
    ],
  )
})

test('names that objects of JavaScript have are names of files like others', () => {
  const rows = toTreeRows([file('__proto__/constructor'), file('toString')])
  assert.deepEqual(
    rows.map(({ key }) => key),
    ['__proto__/', '__proto__/constructor', 'toString'],
  )
})

test('long files begin closed, and so do all after many lines', () => {
  const long = file('long', { additions: 401, deletions: 0 })
  const many = Array.from({ length: 9 }, (_, at) =>
    file(`f${at}`, { additions: 400, deletions: 0 }),
  )
  assert.deepEqual(planOpen([long, file('short')]), [false, true])
  assert.deepEqual(planOpen(many), [...Array(7).fill(true), false, false])
})

test('what a file is besides its lines is said in words', () => {
  const note = (over: Partial<ChangedFile>) => toFileNote(file('a', over))
  assert.equal(note({}), '')
  assert.equal(note({ isBinary: true }), 'Binary, or over 1 MiB: its content is not shown.')
  assert.equal(note({ status: 'renamed', oldPath: 'b' }), 'Renamed from b.')
  assert.equal(note({ patch: '', isCut: true }), 'Too long to be kept. The branch has it whole.')
  assert.equal(note({ mode: '100755' }), 'Was a file, is an executable file.')
  assert.equal(note({ status: 'added', oldMode: null, mode: '120000' }), 'Is a symbolic link.')
})
