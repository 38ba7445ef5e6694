import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Fault } from '#kernel/fault.ts'
import { commit, createSource, git } from '../testing/scene.ts'
import { cloneInto, openSource } from './source.ts'
import {
  countChanged,
  createWork,
  findCommit,
  readPlan,
  refOf,
  setRef,
  takeBundle,
  type Work,
} from './work.ts'

describe('what a sandbox sends', () => {
  const folder = mkdtempSync(join(tmpdir(), 'work-'))
  const source = createSource()
  const work: Work = { path: join(folder, 'loop.git'), loop: 'a-loop' }
  const base = git(source, 'rev-parse', 'HEAD')
  const marker = join(folder, 'owned')
  const file = join(folder, 'sent.bundle')
  before(() =>
    createWork(work, async (unfinished) =>
      cloneInto(unfinished, await openSource(source, 'this-machine'), 'HEAD'),
    ),
  )
  after(() => {
    for (const path of [folder, source]) rmSync(path, { recursive: true, force: true })
  })

  /** A sandbox's repository with one more commit, made as an agent could make it. */
  const sandbox = (): string => {
    const box = mkdtempSync(join(folder, 'box-'))
    git(box, 'clone', '--quiet', source, 'clone')
    return join(box, 'clone')
  }
  const bundle = (box: string, ...revisions: string[]): string => {
    git(box, 'bundle', 'create', '--quiet', file, ...revisions)
    return git(box, 'rev-parse', 'HEAD')
  }
  const isRefused = (error: unknown) => error instanceof Fault && error.code === 'work/refused'
  const quarantine = () =>
    findCommit({ repository: work.path, msMax: 5_000 }, refOf('a-loop', 'quarantine'))

  test('one commit on the base is taken over', async () => {
    const box = sandbox()
    commit(box, { 'PLAN.md': '- [x] one\n', 'a/b': 'c' })
    const sha = bundle(box, `^${base}`, 'main')
    await takeBundle(work, file, sha, base)
    assert.equal(await quarantine(), sha)
    assert.equal(await countChanged(work, base, sha), 2)
    assert.equal(await readPlan(work, sha, 'PLAN.md'), '- [x] one\n')
    assert.equal(await readPlan(work, sha, 'a'), null, 'a folder is no plan')
    await setRef(work, 'quarantine', base)
  })

  const refusals: [string, (box: string) => string][] = [
    [
      'two commits',
      (box) => {
        commit(box, { x: '1' })
        commit(box, { x: '2' })
        return bundle(box, `^${base}`, 'main')
      },
    ],
    [
      'a commit without the base',
      (box) => {
        git(box, 'checkout', '--quiet', '--orphan', 'other')
        commit(box, { x: '1' })
        return bundle(box, 'other')
      },
    ],
    [
      'a merge',
      (box) => {
        git(box, 'checkout', '--quiet', '-b', 'side')
        commit(box, { y: '1' })
        git(box, 'checkout', '--quiet', 'main')
        git(box, 'merge', '--quiet', '--no-ff', '-m', 'merge', 'side')
        return bundle(box, `^${base}`, 'main')
      },
    ],
    [
      'a tree with a .git folder in it',
      (box) => {
        const blob = execFileSync('git', ['-C', box, 'hash-object', '-w', '--stdin'], {
          input: `[core]\n\tfsmonitor = touch ${marker}\n`,
        })
          .toString()
          .trim()
        const inner = execFileSync('git', ['-C', box, 'mktree'], {
          input: `100644 blob ${blob}\tconfig\n`,
        })
          .toString()
          .trim()
        const tree = execFileSync('git', ['-C', box, 'mktree'], {
          input: `040000 tree ${inner}\t.git\n`,
        })
          .toString()
          .trim()
        git(
          box,
          'reset',
          '--quiet',
          '--soft',
          git(box, 'commit-tree', tree, '-p', base, '-m', 'evil'),
        )
        return bundle(box, `^${base}`, 'main')
      },
    ],
    [
      'a submodule whose URL is an option',
      (box) => {
        commit(box, { '.gitmodules': '[submodule "x"]\n\tpath = x\n\turl = --upload-pack=touch\n' })
        return bundle(box, `^${base}`, 'main')
      },
    ],
    [
      'a commit that names no author',
      (box) => {
        const tree = git(box, 'rev-parse', 'HEAD^{tree}')
        const text = `tree ${tree}\nparent ${base}\nauthor \ncommitter \n\nx\n`
        const sha = execFileSync(
          'git',
          ['-C', box, 'hash-object', '-t', 'commit', '-w', '--literally', '--stdin'],
          { input: text },
        )
          .toString()
          .trim()
        git(box, 'update-ref', 'refs/heads/main', sha)
        return bundle(box, `^${base}`, 'main')
      },
    ],
    [
      'a bundle without the commit that it is said to hold',
      (box) => {
        commit(box, { x: '1' })
        bundle(box, `^${base}`, 'main')
        return 'a'.repeat(40)
      },
    ],
    [
      'a pack that was cut',
      (box) => {
        commit(box, { x: '1' })
        const sha = bundle(box, `^${base}`, 'main')
        writeFileSync(file, readFileSync(file).subarray(0, -30))
        return sha
      },
    ],
    [
      'bytes that are no bundle',
      (box) => {
        writeFileSync(file, 'ext::sh -c touch% owned\n\n')
        return git(box, 'rev-parse', 'HEAD')
      },
    ],
  ]
  for (const [title, send] of refusals) {
    test(`${title}: refused, and no ref moves`, async () => {
      const sha = send(sandbox())
      await assert.rejects(takeBundle(work, file, sha, base), isRefused)
      assert.equal(await quarantine(), base)
      assert.equal(existsSync(marker), false)
    })
  }

  test('a commit on another base than the one it was given is refused', async () => {
    const box = sandbox()
    const first = commit(box, { x: '1' })
    commit(box, { x: '2' })
    const sha = bundle(box, `^${first}`, 'main')
    await assert.rejects(takeBundle(work, file, sha, base), isRefused)
  })
})
