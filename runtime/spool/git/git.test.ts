import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { after, describe, test } from 'node:test'
import { Fault } from '#kernel/fault.ts'
import { createSource } from '../testing/scene.ts'
import { isPublicAddress } from './address.ts'
import { parseBundleHead } from './bundle.ts'
import { git, tryGit } from './git.ts'

describe('git', () => {
  const source = createSource()
  after(() => rmSync(source, { recursive: true, force: true }))
  const options = { repository: source, msMax: 10_000 }

  test('a red exit says what git said', async () => {
    await assert.rejects(
      git(['cat-file', '-t', 'nothing'], options),
      (error) => error instanceof Fault && /nothing/.test(error.publicMessage),
    )
  })

  const isLate = (error: unknown) =>
    error instanceof Fault && /took longer than 200 ms/.test(error.publicMessage)

  test('a deadline ends it, and is told apart from an abort', async () => {
    const waiting = ['-c', 'alias.wait=!sleep 30', 'wait']
    await assert.rejects(git(waiting, { ...options, msMax: 200 }), isLate)
    const stop = new AbortController()
    setTimeout(() => stop.abort(), 100)
    await assert.rejects(git(waiting, { ...options, signal: stop.signal }), { name: 'AbortError' })
  })

  test('more output than allowed ends it', async () => {
    await assert.rejects(
      tryGit(['log'], { ...options, outputBytesMax: 10 }),
      (error) => error instanceof Fault && error.code === 'git/too-large',
    )
  })

  for (const url of [
    'ext::sh -c "touch /tmp/owned"',
    'file:///etc',
    '/etc',
    'git://127.0.0.1/x',
    'http://127.0.0.1:1/x',
  ]) {
    test(`no transport is open unless a call names it: ${url}`, async () => {
      await assert.rejects(git(['ls-remote', '--', url], options), /not allowed/)
    })
  }

  test('nothing is discovered above the folder that is named', async () => {
    const { exit } = await tryGit(['rev-parse', '--git-dir'], {
      ...options,
      repository: `${source}/.git/refs`,
    })
    assert.notEqual(exit, 0)
  })
})

test('the head of a bundle is read, and anything else is none', () => {
  const sha = 'a'.repeat(40)
  const head = (text: string) => parseBundleHead(Buffer.from(text))
  assert.deepEqual(head(`# v2 git bundle\n-${sha} base\n${sha} refs/heads/x\n\nPACK`), {
    prerequisites: [sha],
    refs: [{ sha, ref: 'refs/heads/x' }],
    packOffset: 16 + 47 + 54 + 1,
  })
  for (const text of [
    '',
    'PACK',
    '# v2 git bundle\n',
    '# v4 git bundle\n\n',
    '# v2 git bundle\n--upload-pack=x\n\n',
    '# v3 git bundle\n@filter=blob:none\n\n',
  ]) {
    assert.equal(head(text), undefined)
  }
})

for (const [address, isPublic] of [
  ['140.82.112.3', true],
  ['127.0.0.1', false],
  ['10.1.2.3', false],
  ['169.254.169.254', false],
  ['0.0.0.0', false],
  ['2606:50c0::1', true],
  ['::1', false],
  ['fd00::1', false],
  ['fe80::1', false],
  ['::ffff:127.0.0.1', false],
] as const) {
  test(`${address} is ${isPublic ? 'public' : 'not public'}`, () =>
    assert.equal(isPublicAddress(address), isPublic))
}
