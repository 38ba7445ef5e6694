import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Problem } from '#kernel/parse.ts'
import { commit, createSource, git, newLoop, type Scene, startScene } from './testing/scene.ts'

type Refusal = { code: string; problems: Problem[] }

describe('a loop is refused, and nothing is stored', () => {
  let scene: Scene
  const plain = mkdtempSync(join(tmpdir(), 'plain-'))
  const empty = createSource()
  before(async () => {
    scene = await startScene()
    await scene.start({ appFolder: plain }) // Nothing is installed there.
    git(scene.source, 'branch', 'taken/by-others')
    git(scene.source, 'branch', 'ahead')
    git(scene.source, 'checkout', '--quiet', 'ahead')
    commit(scene.source, { new: 'x' })
    git(scene.source, 'checkout', '--quiet', 'main')
    git(scene.source, 'worktree', 'add', '--quiet', join(plain, 'tree'), '-b', 'stood-on')
    git(empty, 'update-ref', '-d', 'HEAD')
  })
  after(async () => {
    await scene[Symbol.asyncDispose]()
    for (const folder of [plain, empty]) rmSync(folder, { recursive: true, force: true })
  })

  const refuse = async (loop: object, claims = {}): Promise<Refusal> => {
    const response = await scene.call(
      'POST',
      '/api/loops',
      { ...newLoop(scene.source), ...loop },
      claims,
    )
    assert.equal(response.status, 400)
    const [stored] = await scene.postgres.query('select count(*)::int as count from spool.loops')
    assert.equal(stored!['count'], 0)
    return (await response.json()) as Refusal
  }

  for (const [title, loop, path, message] of [
    ['an unknown key', { colour: 'red' }, 'colour', /Unknown key/],
    [
      'an unknown key inside a gate',
      { gates: [{ name: 'a', command: 'b', retries: 1 }] },
      'gates.0.retries',
      /Unknown key/,
    ],
    ['no gate', { gates: [] }, 'gates', /at least one gate/],
    ['a negative cap', { caps: { usd: -1 } }, 'caps.usd', />0/],
    ['a cap of no pass', { caps: { iterations: 0 } }, 'caps.iterations', />=1/],
    ['a time without a unit', { caps: { time: '90' } }, 'caps.time', /30s/],
    ['an empty model', { model: '' }, 'model', /./],
    ['an unknown agent', { agent: 'nobody' }, 'agent', /./],
    ['an agent that is not installed', { agent: 'pi' }, 'agent', /Install .*@earendil/],
    [
      'a repository that is absent',
      { repository: '/nowhere/at-all' },
      'repository',
      /Nothing is at/,
    ],
    ['a folder that is no repository', { repository: plain }, 'repository', /no git repository/],
    ['a file', { repository: join(plain, 'file') }, 'repository', /no folder/],
    ['a repository without a commit', { repository: empty }, 'ref', /commit something/],
    ['an ext:: URL', { repository: 'ext::sh -c touch% /tmp/owned' }, 'repository', /absolute path/],
    ['a file URL', { repository: 'file:///etc' }, 'repository', /absolute path/],
    [
      'a URL with a password',
      { repository: 'https://me:secret@example.org/x.git' },
      'repository',
      /password/,
    ],
    ['a ref that looks like an option', { ref: '--upload-pack=x' }, 'ref', /hyphen/],
    ['a branch that is absent', { ref: 'nowhere' }, 'ref', /no such branch/],
    ['a ref that walks', { ref: 'a/../b' }, 'ref', /./],
    ['a plan that is absent', { plan: 'LATER.md' }, 'plan', /no such file/],
    ['a plan outside of the repository', { plan: '../x.md' }, 'plan', /without \.\./],
    ['a plan inside of .git', { plan: '.git/config' }, 'plan', /\.git/],
    ['a result that is checked out', { result: 'main' }, 'result', /checked out/],
    [
      'a result that is checked out in another work tree',
      { result: 'stood-on' },
      'result',
      /checked out/,
    ],
    [
      'a result with commits of its own',
      { result: 'ahead' },
      'result',
      /commits that the start lacks/,
    ],
    ['a result below a branch', { result: 'ahead/x' }, 'result', /clashes with the branch ahead/],
    ['a result above a branch', { result: 'taken' }, 'result', /clashes with the branch taken/],
    ['a result that git takes for no name', { result: 'a/.b' }, 'result', /no such branch name/],
    [
      'a prompt that no argument holds',
      { agent: { command: ['x', '{{prompt}}'], wire: 'anthropic' }, prompt: 'a'.repeat(130_000) },
      'agent.command',
      /too long/,
    ],
  ] as const) {
    test(title, async () => {
      writeFileSync(join(plain, 'file'), '')
      const { code, problems } = await refuse(loop)
      assert.equal(code, 'loop/invalid')
      assert.deepEqual(
        problems.map((problem) => problem.path),
        [path],
      )
      assert.match(problems[0]!.message, message)
    })
  }

  test('every problem is told at once, with path, value and fix', async () => {
    const { problems } = await refuse({ ref: 'nowhere', result: 'a/.b', agent: 'pi' })
    assert.deepEqual(
      problems.map(({ path, value }) => [path, value]),
      [
        ['agent', '"pi"'],
        ['result', '"a/.b"'],
        ['ref', '"nowhere"'],
      ],
    )
    const { problems: shapes } = await refuse({
      gates: [],
      caps: { usd: -1 },
      model: '',
      colour: 1,
    })
    assert.deepEqual(shapes.map(({ path }) => path).sort(), [
      'caps.usd',
      'colour',
      'gates',
      'model',
    ])
  })

  test('what is wrong in the world is told beside what is wrong in the file', async () => {
    const { problems } = await refuse({
      ref: 'nowhere',
      result: 'a/.b',
      gates: [],
      caps: { usd: -1 },
    })
    assert.deepEqual(
      problems.map(({ path }) => path),
      ['gates', 'caps.usd', 'result', 'ref'],
    )
    const { problems: others } = await refuse({
      repository: '/nowhere/at-all',
      model: '',
      ref: '-x',
    })
    assert.deepEqual(others.map(({ path }) => path).sort(), ['model', 'ref', 'repository'])
  })

  test('who may not name a path here learns nothing of it from a file that is wrong', async () => {
    const { problems } = await refuse({ ref: 'nowhere', gates: [] }, { channel: 'session' })
    assert.deepEqual(
      problems.map(({ path }) => path),
      ['gates'],
    )
  })

  test('a shallow clone', async () => {
    const shallow = join(plain, 'shallow')
    git(plain, 'clone', '--quiet', '--depth=1', `file://${scene.source}`, shallow)
    commit(scene.source, { another: 'y' })
    git(shallow, 'fetch', '--quiet', '--depth=1', 'origin')
    const { problems } = await refuse({ repository: shallow })
    assert.match(problems[0]!.message, /unshallow/)
  })

  for (const [title, loop, path, message] of [
    [
      'no walls, for somebody who is not the owner',
      { repository: 'https://192.0.2.1/x' },
      'isolation',
      /owner's token/,
    ],
    [
      'a private address',
      { repository: 'http://127.0.0.1:1/x', isolation: 'namespaces' },
      'repository',
      /127\.0\.0\.1/,
    ],
    [
      "a cloud's metadata address",
      { repository: 'http://169.254.169.254/x', isolation: 'namespaces' },
      'repository',
      /169\.254/,
    ],
    [
      'a private address of IPv6',
      { repository: 'http://[fd00::1]/x', isolation: 'namespaces' },
      'repository',
      /fd00/,
    ],
    [
      'the key of this machine',
      { repository: 'ssh://git@github.com/x', isolation: 'namespaces' },
      'repository',
      /own key/,
    ],
  ] as const) {
    test(`from a member: ${title}`, async () => {
      const { problems } = await refuse(loop, { channel: 'key', role: 'member' })
      assert.equal(problems[0]!.path, path)
      assert.match(problems[0]!.message, message)
    })
  }

  test('from a session of this machine: no walls alone, for its paths are open to it', async () => {
    const { problems } = await refuse({}, { channel: 'owner-session' })
    assert.deepEqual(
      problems.map(({ path }) => path),
      ['isolation'],
    )
  })

  test('a URL that nothing answers, with what git said', async () => {
    const { problems } = await refuse({ repository: 'http://127.0.0.1:1/x.git' })
    assert.equal(problems[0]!.path, 'repository')
    assert.match(problems[0]!.message, /127\.0\.0\.1/)
  })

  test('a body that is no JSON', async () => {
    const response = await fetch(new URL('/api/loops', scene.url()), {
      method: 'POST',
      body: '{',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${await scene.deps.tokenFor({ kind: 'user', sub: 'owner', org: 'default', role: 'owner', channel: 'owner-token' })}`,
      },
    })
    assert.equal(response.status, 400)
  })
})
