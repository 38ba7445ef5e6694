// One life of a sandbox, the same for every backend.
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { AgentState, Sandbox } from './api.ts'
import { assertNoFolders, makeBundle, startTestWeaver, type TestWeaver } from './testing.ts'

for (const backend of ['bubblewrap', 'unshare'] as const) {
  describe(`a sandbox by ${backend}`, () => {
    const owned = new AsyncDisposableStack()
    let weaver: TestWeaver
    let sandbox: Sandbox
    let repository: ReturnType<typeof makeBundle>
    let folder: string

    before(async () => {
      weaver = owned.use(await startTestWeaver({ config: { backend } }))
      folder = mkdtempSync(join(tmpdir(), 'repository-'))
      owned.defer(() => rmSync(folder, { recursive: true, force: true }))
      repository = makeBundle(folder, { 'a.txt': 'one\n' })
    })
    after(() => owned.disposeAsync())

    test('is created ready, with its level measured', async () => {
      sandbox = await weaver.create()
      assert.equal(sandbox.state, 'ready')
      assert.equal(sandbox.level.backend, backend)
      const weak = sandbox.level.probes.filter(({ held }) => !held).map(({ name }) => name)
      assert.deepEqual(weak, backend === 'unshare' ? ['seccomp'] : [])
    })

    test('runs commands as uid 1000, with Node first on every path', async () => {
      const { exit, output } = await weaver.exec(
        sandbox.id,
        'id -u; pwd; echo ~; command -v node; sh -lc "command -v node"',
      )
      assert.equal(exit, 0)
      const node = '/opt/treadle/node/bin/node'
      assert.deepEqual(output.trim().split('\n'), ['1000', '/work', '/home/agent', node, node])
    })

    test('takes a checkout, runs an agent in it, and gives back its work', async () => {
      const path = `/api/sandboxes/${sandbox.id}`
      const checkout = await weaver.call(
        'PUT',
        `${path}/checkout?sha=${repository.sha}`,
        repository.bundle,
      )
      assert.deepEqual(await checkout.json(), { sha: repository.sha })
      const argv = ['sh', '-c', 'cat ~/note; echo two >> a.txt; echo done']
      const files = [{ path: 'note', content: 'hello\n' }]
      const started = await weaver.call('POST', `${path}/agent`, {
        argv,
        env: {},
        files,
        timeMsMax: 30_000,
      })
      assert.equal(started.status, 202)
      const state = (await (
        await weaver.call('GET', `${path}/agent?waitMs=20000`)
      ).json()) as AgentState
      assert.deepEqual([state.state, state.exit, state.cut], ['ended', 0, null])
      assert.match(
        await (await weaver.call('GET', `${path}/agent/output?tail=1000`)).text(),
        /hello\r\ndone/,
      )
      const body = { base: repository.sha, message: 'pass 1' }
      const snapshot = await weaver.call('POST', `${path}/snapshot`, body)
      assert.equal(snapshot.headers.get('x-treadle-files-changed'), '1')
      writeFileSync(join(folder, 'work.bundle'), Buffer.from(await snapshot.arrayBuffer()))
      execFileSync('git', ['fetch', '--quiet', 'work.bundle', 'refs/heads/treadle'], {
        cwd: folder,
      })
      const shown = execFileSync(
        'git',
        ['show', `${snapshot.headers.get('x-treadle-sha')}:a.txt`],
        { cwd: folder },
      )
      assert.equal(shown.toString(), 'one\ntwo\n')
    })

    test('is deleted without a trace, and again without harm', async () => {
      await weaver.remove(sandbox.id)
      await weaver.remove(sandbox.id)
      const shown = (await (
        await weaver.call('GET', `/api/sandboxes/${sandbox.id}`)
      ).json()) as Sandbox
      assert.deepEqual([shown.state, shown.endReason], ['ended', 'deleted'])
      await assertNoFolders(weaver)
      assert.equal(existsSync(`/sys/fs/cgroup/pids/treadle-${sandbox.id}`), false)
      assert.equal(
        (await weaver.call('GET', `/api/sandboxes/${sandbox.id}/agent/output`)).status,
        410,
      )
    })
  })
}

// Root gives each sandbox a user of its own; anybody else is that user in all of them. Both must
// stand.
if (process.getuid?.() === 0) {
  test('both stand for an ordinary user as well', { timeout: 120_000 }, async () => {
    const { NODE_TEST_CONTEXT: _, ...inherited } = process.env
    const env = { ...inherited, HOME: '/nonexistent' }
    const own = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, '--test']
    const file = fileURLToPath(import.meta.url)
    const { stdout } = await promisify(execFile)('setpriv', [...own, file], { env, cwd: '/' })
    assert.match(stdout, /fail 0/)
  })
}
