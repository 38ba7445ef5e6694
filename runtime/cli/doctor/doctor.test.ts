import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { run } from '../testing.ts'
import type { Finding } from './findings.ts'

const bin = fileURLToPath(new URL('../treadle.js', import.meta.url))
const names = [
  ...['node', 'postgresql', 'pi', 'codex', 'git', 'unshare', 'setpriv', 'ip', 'bubblewrap'],
  ...['namespaces', 'bwrap, tried', 'cgroup', 'port 7400', 'port 7401', 'state folder', 'disk'],
]

describe('doctor', () => {
  const folder = mkdtempSync(join(tmpdir(), 'treadle-doctor-'))
  after(() => rmSync(folder, { recursive: true }))

  test('every finding is named, and what is not good says its cost and its fix', async () => {
    const { stdout, code } = await run(join(folder, 'not/made'), ['doctor', '--json'])
    const findings = JSON.parse(stdout) as Finding[]
    assert.deepEqual(
      findings.map(({ name }) => name),
      names,
    )
    for (const { state, cost, fix, detail } of findings) {
      assert.ok(detail)
      assert.ok(state === 'good' || (cost && fix))
    }
    const isMissing = findings.some(({ state }) => state === 'missing')
    assert.equal(code, isMissing ? 1 : 0)
    assert.match(findings.find(({ name }) => name === 'state folder')!.detail, /not made yet/)
  })

  test('a machine without any program is told all that it lacks, and exits with 1', () => {
    const env = { PATH: folder }
    const argv = [bin, '--state', folder, 'doctor', '--json']
    const { stdout, status } = spawnSync(process.execPath, argv, { env, encoding: 'utf8' })
    const findings = new Map((JSON.parse(stdout) as Finding[]).map((each) => [each.name, each]))
    for (const name of ['git', 'unshare', 'setpriv', 'namespaces']) {
      assert.equal(findings.get(name)?.state, 'missing')
    }
    assert.equal(findings.get('bubblewrap')?.state, 'weaker')
    assert.match(findings.get('bubblewrap')?.fix ?? '', /apt-get install bubblewrap/)
    assert.equal(status, 1)
  })

  test('a port that another program has is told, with the flag for another one', async () => {
    const server = createServer()
    // Where the port is taken already, by whatever it is, that serves as well.
    await new Promise<void>((ready) => {
      server.once('error', () => ready()).listen(7400, '127.0.0.1', ready)
    })
    const { stdout } = await run(folder, ['doctor', '--json'])
    server.close()
    const port = (JSON.parse(stdout) as Finding[]).find(({ name }) => name === 'port 7400')
    assert.equal(port?.state, 'weaker')
    assert.match(port?.fix ?? '', /--port/)
  })

  test('a person reads a mark, the finding, its cost and its fix', async () => {
    const file = join(folder, 'file')
    writeFileSync(file, '')
    const { stdout } = await run(join(file, 'state'), ['doctor'])
    assert.match(stdout, /^✓ node {15}v/m)
    const below = '\n {21}cost: nothing can be kept\n {21}fix: {2}name another'
    assert.match(stdout, new RegExp(`^✗ state folder {7}${file} is not writable${below}`, 'm'))
  })
})
