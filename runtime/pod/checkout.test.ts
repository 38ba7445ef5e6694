import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { git, makeRepository, type Repository, startPod, type TestPod, until } from './testing.ts'

describe('a checkout', () => {
  let pod: TestPod
  let base: Repository
  beforeEach(async () => {
    pod = await startPod()
    base = makeRepository(join(pod.folder, 'base'), { 'a.txt': 'a\n', 'deep/b.txt': 'b\n' })
  })
  afterEach(() => pod[Symbol.asyncDispose]())

  const checkOut = (sha: string, bundle: Buffer) =>
    pod.call<{ sha: string; code: string; message: string }>('PUT', `/checkout?sha=${sha}`, bundle)

  test('leaves an ordinary repository on the branch work, where an agent can commit', async () => {
    assert.deepEqual((await checkOut(base.sha, base.bundle)).json, { sha: base.sha })
    assert.equal(readFileSync(join(pod.work, 'deep/b.txt'), 'utf8'), 'b\n')
    assert.equal(git(pod.work, 'rev-parse', 'HEAD'), base.sha)
    assert.equal(git(pod.work, 'branch', '--show-current'), 'work')
    assert.equal(git(pod.work, 'status', '--porcelain'), '')
    const { exit, output } = await pod.sh(
      'echo c > c.txt && git add . && git commit -qm "By hand" && git log --oneline | wc -l',
    )
    assert.deepEqual([exit, output.trim()], [0, '2'])
  })

  test('leaves no other file behind', async () => {
    // The daemon makes its next pipe behind one's back, in a folder that is there for a moment.
    const isAtRest = () => !readdirSync(pod.folder).some((name) => name.startsWith('pod-'))
    await until(isAtRest)
    const beforeIt = readdirSync(pod.folder)
    await checkOut(base.sha, base.bundle)
    await until(isAtRest)
    assert.deepEqual(readdirSync(pod.folder), beforeIt)
  })

  test('goes to the commit that was asked for, not to the tip', async () => {
    git(base.folder, 'commit', '-q', '--allow-empty', '-m', 'Later')
    git(base.folder, 'bundle', 'create', '-q', '../later.bundle', 'main')
    await checkOut(base.sha, readFileSync(join(pod.folder, 'later.bundle')))
    assert.equal(git(pod.work, 'rev-parse', 'HEAD'), base.sha)
  })

  test('a second one is refused, and changes nothing', async () => {
    await checkOut(base.sha, base.bundle)
    const { status, json } = await checkOut(base.sha, base.bundle)
    assert.deepEqual([status, json.code], [409, 'pod/checked-out'])
  })

  for (const [title, sha, bytes] of [
    ['a commit that the bundle lacks', 'f'.repeat(40), undefined],
    ['a body that is no bundle', undefined, Buffer.from('not a bundle')],
    ['an empty body', undefined, Buffer.alloc(0)],
  ] as const) {
    test(`${title} is refused with git’s own words`, async () => {
      const { status, json } = await checkOut(sha ?? base.sha, bytes ?? base.bundle)
      assert.deepEqual([status, json.code], [422, 'pod/bundle-refused'])
      assert.ok(json.message.length > 'Git does not take this bundle. '.length, json.message)
    })
  }

  for (const sha of ['HEAD', '--upload-pack=x', 'f'.repeat(39), '']) {
    test(`the commit id ${JSON.stringify(sha)} is refused`, async () => {
      const { status, json } = await checkOut(sha, base.bundle)
      assert.deepEqual([status, json.code], [400, 'pod/invalid'])
    })
  }
})
