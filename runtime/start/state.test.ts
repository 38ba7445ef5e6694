import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadKeys } from './keys.ts'
import { prepareReadable } from './readable.ts'
import { holdState, prepareState, readOrMake } from './state.ts'

const uid = process.getuid!()
const withFolder = (work: (folder: string) => Promise<void> | void) => async () => {
  const folder = mkdtempSync(join(tmpdir(), 'state-'))
  chmodSync(folder, 0o711)
  try {
    await work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

test(
  'a socket folder stays short however long the state folder is',
  withFolder((folder) => {
    const state = prepareState(join(folder, 'a'.repeat(120)), uid)
    assert.ok(state.run.length < 40, state.run)
    rmSync(state.run, { recursive: true })
  }),
)

test(
  'root is told which folder no other user can pass, where its state lies below one',
  withFolder((folder) => {
    chmodSync(folder, 0o700)
    const message = new RegExp(`--state lies below ${folder}, which other users can't pass`)
    assert.throws(() => prepareState(join(folder, 'state'), 0), message)
  }),
)

test(
  'one state folder is held by one process at a time',
  withFolder(async (folder) => {
    const state = prepareState(folder, uid)
    const held = await holdState(state)
    await assert.rejects(holdState(state), /already runs/)
    await held[Symbol.asyncDispose]()
    await using again = await holdState(state)
    assert.ok(again)
    rmSync(state.run, { recursive: true })
  }),
)

test(
  'keys are made once, for their owner alone',
  withFolder((folder) => {
    const first = loadKeys(folder)
    assert.deepEqual(loadKeys(folder).trust, first.trust)
    assert.equal(statSync(first.masterKeyFile).mode & 0o777, 0o600)
    assert.equal(readFileSync(first.masterKeyFile).length, 32)
  }),
)

test(
  'a file that is there is read and not made again',
  withFolder((folder) => {
    const path = join(folder, 'word')
    readOrMake(path, () => Buffer.from('first'))
    assert.equal(readOrMake(path, () => Buffer.from('second')).toString(), 'first')
  }),
)

test(
  'what other uids run lies in one folder that a second start finds whole',
  withFolder((folder) => {
    const { path } = prepareReadable(join(folder, 'readable'))
    for (const place of [
      'node/bin/node',
      'postgres/native/bin/postgres',
      'app/runtime/pod/api.ts',
      'app/node_modules/zod/package.json',
    ]) {
      assert.equal(statSync(join(path, place)).mode & 0o004, 0o004, place)
    }
    assert.equal(prepareReadable(join(folder, 'readable')).path, path)
  }),
)
