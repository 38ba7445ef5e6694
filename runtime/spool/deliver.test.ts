import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import {
  agent,
  createSource,
  git,
  giveAway,
  promise,
  type Scene,
  startScene,
  until,
} from './testing/scene.ts'

const working = agent(`date +%N > x; say '${promise}'`)

describe('a result', () => {
  let scene: Scene
  let source: string
  const outside = mkdtempSync(join(tmpdir(), 'outside-'))
  const marker = join(outside, 'owned')
  before(async () => {
    scene = await startScene()
    await scene.start()
  })
  beforeEach(() => {
    source = createSource()
  })
  afterEach(() => rmSync(source, { recursive: true, force: true }))
  after(async () => {
    await scene[Symbol.asyncDispose]()
    rmSync(outside, { recursive: true, force: true })
  })
  const run = async (more: object = {}) =>
    scene.ended((await scene.submit({ repository: source, agent: working, ...more })).id)

  test('goes to the branch that the loop names', async () => {
    const loop = await run({ result: 'fixed' })
    assert.equal(loop.branch, 'fixed')
    assert.equal(git(source, 'rev-list', '--count', 'main..fixed'), '1')
    assert.match(git(source, 'log', '-1', '--format=%B', 'fixed'), /^fix: pass 1\n\nLoop: /)
  })

  test('moves a branch forward that is behind it', async () => {
    git(source, 'branch', 'behind')
    assert.equal((await run({ result: 'behind' })).branch, 'behind')
    assert.equal(git(source, 'rev-list', '--count', 'main..behind'), '1')
  })

  test('stays in a bundle, with the reason, when the branch has moved meanwhile', async () => {
    const { id } = await scene.submit({
      repository: source,
      agent: agent(`date > x; sleep 1; say '${promise}'`),
      result: 'raced',
    })
    await until(async () => ((await scene.passes(id))[0]?.sandbox ? true : undefined))
    const other = git(source, 'commit-tree', 'HEAD^{tree}', '-p', 'HEAD', '-m', 'other')
    git(source, 'branch', 'raced', other)
    const loop = await scene.ended(id)
    assert.deepEqual([loop.ending, loop.branch], ['done', null])
    assert.match(loop.reason!, /has commits that the result lacks/)
    assert.equal(git(source, 'rev-parse', 'raced'), other)
    assert.match(git(source, 'bundle', 'list-heads', loop.bundle!), /refs\/heads\/raced/)
  })

  test('never moves a branch that somebody checked out meanwhile', async () => {
    const { id } = await scene.submit({
      repository: source,
      agent: agent(`date > x; sleep 1; say '${promise}'`),
      result: 'mine',
    })
    await until(async () => ((await scene.passes(id))[0]?.sandbox ? true : undefined))
    git(source, 'checkout', '--quiet', '-b', 'mine')
    const loop = await scene.ended(id)
    assert.match(loop.reason!, /checked out/)
    assert.equal(git(source, 'rev-parse', 'mine'), git(source, 'rev-parse', 'main'))
  })

  test('of a bare repository goes there as well', async () => {
    const bare = join(outside, 'bare.git')
    git(outside, 'clone', '--quiet', '--bare', source, bare)
    const loop = await run({ repository: bare })
    assert.equal(git(bare, 'rev-list', '--count', `main..${loop.branch}`), '1')
  })

  test('sets off nothing that the repository has planted', async () => {
    const evil = join(outside, 'evil')
    writeFileSync(evil, `#!/bin/sh\ntouch ${marker}\ncat\n`)
    chmodSync(evil, 0o755)
    for (const hook of [
      'reference-transaction',
      'post-update',
      'pre-receive',
      'post-checkout',
      'pre-auto-gc',
      'pre-push',
      'post-index-change',
    ]) {
      const file = join(source, '.git/hooks', hook)
      writeFileSync(file, `#!/bin/sh\ntouch ${marker}\n`)
      chmodSync(file, 0o755)
    }
    for (const key of [
      'core.fsmonitor',
      'core.sshCommand',
      'core.pager',
      'uploadpack.packObjectsHook',
      'core.askPass',
      'diff.external',
      'core.alternateRefsCommand',
    ]) {
      git(source, 'config', key, evil)
    }
    git(source, 'config', 'filter.evil.clean', evil)
    git(source, 'config', 'filter.evil.smudge', evil)
    writeFileSync(join(source, '.git/info/attributes'), '* filter=evil diff=evil\n')
    assert.ok(existsSync(evil) && !existsSync(marker))
    const loop = await run()
    assert.equal(loop.ending, 'done')
    assert.equal(existsSync(marker), false)
    git(source, 'update-ref', 'refs/heads/proof', 'HEAD')
    assert.equal(
      existsSync(marker),
      true,
      "the trap works where git runs with the repository's own hooks",
    )
  })

  test('belongs to the owner of the repository, when Treadle runs as root', async (context) => {
    if (process.getuid?.() !== 0) return context.diagnostic('not root: the owner is who runs this')
    giveAway(source, 12_345)
    const loop = await run()
    assert.equal(loop.ending, 'done', loop.reason ?? '')
    const foreign = execFileSync('find', [join(source, '.git'), '!', '-uid', '12345'], {
      encoding: 'utf8',
    })
    assert.equal(foreign, '')
    assert.equal(statSync(join(source, '.git/refs/heads', loop.branch!)).uid, 12_345)
  })

  test('goes over HTTP, and comes from there', async () => {
    const bare = join(outside, 'served.git')
    git(outside, 'clone', '--quiet', '--bare', source, bare)
    git(bare, 'config', 'http.receivepack', 'true')
    await using server = await serve(outside)
    const loop = await run({
      repository: `${server.url}served.git`,
      plan: 'PLAN.md',
      agent: agent(`echo '- [x] a' > PLAN.md; say '${promise}'`),
    })
    assert.equal(loop.ending, 'done', loop.reason ?? '')
    assert.equal(git(bare, 'show', `${loop.branch}:PLAN.md`), '- [x] a')
  })

  test('that a server does not take stays in a bundle', async () => {
    const bare = join(outside, 'read-only.git')
    git(outside, 'clone', '--quiet', '--bare', source, bare)
    await using server = await serve(outside)
    const loop = await run({ repository: `${server.url}read-only.git` })
    assert.deepEqual([loop.ending, loop.branch], ['done', null])
    assert.ok(existsSync(loop.bundle!))
  })

  test('of a plan that is not there over HTTP is a failed loop', async () => {
    git(outside, 'clone', '--quiet', '--bare', source, join(outside, 'no-plan.git'))
    await using server = await serve(outside)
    const loop = await run({ repository: `${server.url}no-plan.git`, plan: 'LATER.md' })
    assert.deepEqual([loop.ending, loop.passes], ['failed', 0])
  })

  for (const [title, tamper] of [
    ['no bundle', () => ({ bundle: Buffer.from('nonsense\n\n') })],
    ['a bundle over the limit', () => ({ bundle: Buffer.alloc(11 * 1024 ** 2) })],
    ['a commit id with an option in it', (bundle: Buffer) => ({ bundle, sha: '--upload-pack=x' })],
  ] as const) {
    test(`of a sandbox that sends ${title} is refused, and the loop ends stuck`, async () => {
      scene.doubles.tamper = (bundle) => tamper(bundle)
      const loop = await run({ gates: [{ name: 'test', command: 'false' }] })
      scene.doubles.tamper = undefined
      assert.equal(
        loop.ending === 'stuck' || loop.ending === 'needs-review',
        true,
        loop.reason ?? '',
      )
      assert.deepEqual([loop.branch, loop.bundle], [null, null])
    })
  }
})

/** git's own HTTP back end, as a server of repositories has it. */
async function serve(folder: string) {
  const server = createServer((request, response) => {
    const url = new URL(request.url!, 'http://x')
    const env = {
      PATH: '/usr/bin:/bin',
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'safe.directory',
      GIT_CONFIG_VALUE_0: '*',
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method!,
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: String(request.headers['content-encoding'] ?? ''),
      REMOTE_ADDR: '127.0.0.1',
    }
    const child = spawn('git', ['http-backend'], { env, stdio: ['pipe', 'pipe', 'ignore'] })
    request.pipe(child.stdin)
    const chunks: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.once('close', () => {
      const all = Buffer.concat(chunks)
      const end = all.indexOf('\r\n\r\n')
      for (const line of all.toString('latin1', 0, end).split('\r\n')) {
        const [name, value] = line.split(': ')
        if (name === 'Status') response.statusCode = Number(value!.slice(0, 3))
        else response.setHeader(name!, value!)
      }
      response.end(all.subarray(end + 4))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
}
