import assert from 'node:assert/strict'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import {
  type Answer,
  git,
  isAlive,
  makeRepository,
  type Repository,
  startPod,
  type TestPod,
  until,
  write,
} from './testing.ts'

describe('a snapshot', () => {
  let pod: TestPod
  let base: Repository
  beforeEach(async () => {
    pod = await startPod()
    base = makeRepository(join(pod.folder, 'base'), {
      'a.txt': 'a\n',
      'deep/b.txt': 'b\n',
      '.gitignore': 'ignored/\n',
    })
    await pod.call('PUT', `/checkout?sha=${base.sha}`, base.bundle)
  })
  afterEach(() => pod[Symbol.asyncDispose]())

  const ask = (more: object = {}) =>
    pod.call<{ code: string; message: string }>('POST', '/snapshot', {
      base: base.sha,
      message: 'Pass 1',
      ...more,
    })
  const inWork = (path: string) => join(pod.work, path)

  /** What the bundle says, by a repository that has the base alone. */
  const take = ({ bytes, header }: Answer) => {
    writeFileSync(join(pod.folder, 'result.bundle'), bytes)
    git(base.folder, 'fetch', '-q', '../result.bundle', '+refs/heads/*:refs/result/*')
    const sha = header('x-treadle-sha')
    assert.equal(git(base.folder, 'rev-parse', 'refs/result/treadle'), sha)
    git(base.folder, 'fsck', '--strict')
    const changes = git(base.folder, 'diff', '--no-renames', '--name-status', base.sha, sha)
    const files = changes.replaceAll('\t', ' ').split('\n').sort()
    assert.equal(header('x-treadle-files-changed'), String(files.length))
    return { sha, files, show: (path: string) => git(base.folder, 'show', `${sha}:${path}`) }
  }
  const snapshot = async () => {
    const answer = await ask()
    assert.equal(answer.status, 200, answer.bytes.subarray(0, 500).toString())
    return take(answer)
  }

  test('is one commit on the base, of the work tree as it stands', async () => {
    write(inWork('a.txt'), 'changed\n')
    write(inWork('new/c.txt'), 'c\n')
    rmSync(inWork('deep/b.txt'))
    write(inWork('ignored/d.txt'), 'd\n')
    const { sha, files, show } = await snapshot()
    assert.deepEqual(files, ['A new/c.txt', 'D deep/b.txt', 'M a.txt'])
    assert.equal(show('new/c.txt'), 'c')
    const told = git(base.folder, 'log', '-1', '--format=%P|%an <%ae>|%cn <%ce>|%B', sha)
    const treadle = 'Treadle <treadle@localhost>'
    assert.equal(told, `${base.sha}|${treadle}|${treadle}|Pass 1`)
  })

  test('of an unchanged work tree is empty, and names the base', async () => {
    const { status, bytes, header } = await ask()
    assert.deepEqual([status, bytes.length], [200, 0])
    assert.equal(header('x-treadle-sha'), base.sha)
    assert.equal(header('x-treadle-files-changed'), '0')
  })

  test('holds what the agent committed by itself, in one commit', async () => {
    await pod.sh('for i in 1 2 3; do echo $i > $i; git add .; git commit -qm $i; done')
    const { sha, files } = await snapshot()
    assert.deepEqual(files, ['A 1', 'A 2', 'A 3'])
    assert.equal(git(base.folder, 'rev-parse', `${sha}^`), base.sha)
  })

  test('may be asked for again', async () => {
    write(inWork('a.txt'), 'changed\n')
    await snapshot()
    write(inWork('c.txt'), 'c\n')
    assert.deepEqual((await snapshot()).files, ['A c.txt', 'M a.txt'])
  })

  for (const [title, script] of [
    ['deleted', 'rm -rf .git'],
    ['emptied', 'rm -rf .git; mkdir .git'],
    ['made a link', 'rm -rf .git; ln -s /etc .git'],
    ['made a file', 'rm -rf .git; echo "gitdir: /nonexistent" > .git'],
    ['broken', 'echo broken > .git/HEAD; echo "[" > .git/config'],
    ['locked', 'touch .git/index.lock'],
  ] as const) {
    test(`is the same with the agent’s .git ${title}`, async () => {
      await pod.sh(`echo changed > a.txt; ${script}`)
      assert.deepEqual((await snapshot()).files, ['M a.txt'])
    })
  }

  test('runs nothing that was planted: fsmonitor, hooks, filters, attributes, ignores', async () => {
    const trap = (name: string) => join(pod.folder, `ran-${name}`)
    const ran = () =>
      readdirSync(pod.folder)
        .filter((name) => name.startsWith('ran-'))
        .sort()
    const plant = (name: string) => {
      const script = join(pod.folder, `${name}.sh`)
      const filters = ['filter', 'home']
      write(script, `#!/bin/sh\ntouch ${trap(name)}\n${filters.includes(name) ? 'cat' : ''}\n`)
      chmodSync(script, 0o755)
      return script
    }
    for (const hook of [
      'pre-commit',
      'post-commit',
      'post-index-change',
      'reference-transaction',
    ]) {
      mkdirSync(inWork('.git/hooks'), { recursive: true })
      symlinkSync(plant(hook), inWork(`.git/hooks/${hook}`))
    }
    git(pod.work, 'config', 'core.fsmonitor', plant('fsmonitor'))
    git(pod.work, 'config', 'filter.evil.clean', plant('filter'))
    write(inWork('.gitattributes'), '*.txt filter=evil\n*.md filter=home\n')
    write(inWork('.git/info/exclude'), 'hidden.txt\n')
    write(join(pod.home, '.gitconfig'), `[filter "home"]\n\tclean = ${plant('home')}\n`)
    write(join(pod.home, '.config/git/ignore'), 'hidden.txt\n')
    write(inWork('a.txt'), 'changed\n')
    write(inWork('hidden.txt'), 'seen\n')
    write(inWork('d.md'), 'd\n')

    const { files } = await snapshot()
    assert.deepEqual(files, ['A .gitattributes', 'A d.md', 'A hidden.txt', 'M a.txt'])
    assert.deepEqual(ran(), [], 'something planted ran')

    // The same plants under plain git, by the same person: they must work, or the test above says nothing.
    await pod.sh('git add --all; git commit -qm plain')
    const all = [
      'filter',
      'fsmonitor',
      'home',
      'post-commit',
      'post-index-change',
      'pre-commit',
      'reference-transaction',
    ]
    assert.deepEqual(
      ran(),
      all.map((name) => `ran-${name}`),
    )
  })

  test('holds the files of repositories inside, at any depth', async () => {
    await pod.sh(`
      git init -q inner && cd inner && echo 1 > one && git add . && git -c user.name=x -c user.email=x commit -qm 1
      git init -q core && echo 2 > core/two
      cd .. && git init -q deep && echo 3 > deep/three
      git init -q empty
      git init -q ignored/kept && echo 4 > ignored/kept/four`)
    const { files, show } = await snapshot()
    assert.deepEqual(files, ['A deep/three', 'A inner/core/two', 'A inner/one'])
    assert.equal(show('inner/core/two'), '2')
    assert.ok(existsSync(inWork('ignored/kept/.git')), 'what is ignored stays as it is')
  })

  test('with a pipe in the place of a file is refused by its name', async () => {
    await pod.sh('rm a.txt; mkfifo a.txt')
    const { status, json } = await ask()
    assert.deepEqual([status, json.code], [422, 'pod/tree-refused'])
    assert.match(json.message, /a\.txt/)
  })

  test('passes over pipes, and keeps links as links', async () => {
    await pod.sh('mkfifo pipe; ln -s /etc/passwd link')
    const { files, show } = await snapshot()
    assert.deepEqual(files, ['A link'])
    assert.equal(show('link'), '/etc/passwd')
  })

  test('of a workspace that the agent removed is one without files', async () => {
    await pod.startAgent('rm -rf "$PWD"')
    await pod.agentEnd()
    assert.deepEqual((await snapshot()).files, ['D .gitignore', 'D a.txt', 'D deep/b.txt'])
  })

  test('waits for no agent: one that runs is a refusal', async () => {
    await pod.startAgent('sleep 20')
    const { status, json } = await ask()
    assert.deepEqual([status, json.code], [409, 'pod/agent-running'])
  })

  test('stops what still runs, so that nothing changes under it', async () => {
    void pod.sh('echo $$ > ignored.pid; sleep 69', 30_000)
    const id = await until(async () => Number((await pod.sh('cat ignored.pid')).output))
    await ask()
    await until(() => !isAlive(id))
  })

  test('of another base than the checkout’s is refused', async () => {
    const { status, json } = await ask({ base: 'f'.repeat(40) })
    assert.deepEqual([status, json.code], [409, 'pod/base-unknown'])
  })

  for (const more of [{ base: 'HEAD' }, { message: '' }, { message: 'a\0b' }]) {
    test(`with ${JSON.stringify(more)} is refused`, async () => {
      assert.equal((await ask(more)).status, 400)
    })
  }

  test('leaves no file behind, in good and in bad times', async () => {
    const beforeIt = readdirSync(pod.folder)
    write(inWork('a.txt'), 'changed\n')
    await ask()
    await pod.sh('mkdir -p "git~1"; echo > "git~1/x"') // Git refuses this name: it is .git on other systems.
    const { status, json } = await ask()
    assert.deepEqual([status, json.code], [422, 'pod/tree-refused'])
    assert.match(json.message, /git~1/)
    assert.deepEqual(readdirSync(pod.folder), beforeIt)
  })
})

test('what is written into a submodule’s empty folder is held as files', async () => {
  await using pod = await startPod()
  const inner = makeRepository(join(pod.folder, 'inner'), { one: '1\n' })
  const base = makeRepository(join(pod.folder, 'base'), { 'a.txt': 'a\n' })
  for (const name of ['used', 'unused']) {
    git(
      base.folder,
      '-c',
      'protocol.file.allow=always',
      'submodule',
      '--quiet',
      'add',
      inner.folder,
      name,
    )
  }
  git(base.folder, 'commit', '-q', '-m', 'Submodules')
  const sha = git(base.folder, 'rev-parse', 'HEAD')
  git(base.folder, 'bundle', 'create', '-q', '../base.bundle', 'main')
  await pod.call('PUT', `/checkout?sha=${sha}`, readFileSync(join(pod.folder, 'base.bundle')))
  assert.deepEqual(readdirSync(join(pod.work, 'used')), [])

  write(join(pod.work, 'used/mine.txt'), 'mine\n')
  const answer = await pod.call('POST', '/snapshot', { base: sha, message: 'Pass' })
  writeFileSync(join(pod.folder, 'result.bundle'), answer.bytes)
  git(base.folder, 'fetch', '-q', '../result.bundle', 'refs/heads/treadle')
  const tree = git(
    base.folder,
    'ls-tree',
    '-r',
    '--format=%(objectmode) %(path)',
    'FETCH_HEAD',
  ).split('\n')
  assert.deepEqual(tree, [
    '100644 .gitmodules',
    '100644 a.txt',
    '160000 unused',
    '100644 used/mine.txt',
  ])
})

test('what the agent made unreadable is held all the same', async () => {
  // As in a sandbox: no capability, so that a file's mode counts for root too.
  const prefix =
    process.getuid!() === 0 ? ['setpriv', '--bounding-set=-all', '--inh-caps=-all'] : []
  await using pod = await startPod({ prefix })
  const base = makeRepository(join(pod.folder, 'base'), { 'a.txt': 'a\n' })
  await pod.call('PUT', `/checkout?sha=${base.sha}`, base.bundle)
  const { exit } = await pod.sh(`
    mkdir closed; echo 1 > closed/one; echo 2 > two; git init -q closed/inner; echo 3 > closed/inner/three
    chmod 0 closed two; cat two`)
  assert.equal(exit, 1, 'it must be unreadable')
  const { header } = await pod.call('POST', '/snapshot', { base: base.sha, message: 'Pass' })
  assert.equal(header('x-treadle-files-changed'), '3')
})
