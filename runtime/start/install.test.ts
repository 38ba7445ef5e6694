// The pre-start script on a small repository of its own, with the real npm and nothing to download.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const ours = fileURLToPath(new URL('.', import.meta.url))
// As a person's shell has it: `npm test` puts the clone's Node first, which has no npm beside it.
const path = process.env['PATH'] ?? ''

function createFolder(files: Readonly<Record<string, string>> = {}) {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'treadle-install-')))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text, { mode: 0o755 })
  }
  return {
    at: (name: string) => join(folder, name),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  }
}

type Asked = { nodePath: string; npmExecPath?: string; path?: string }
const { findNpm }: { findNpm: (asked: Asked) => string } = await import(
  new URL('./find-npm.js', import.meta.url).href
)

const cli = 'lib/node_modules/npm/bin/npm-cli.js'

describe('finding npm', () => {
  test('the npm that runs the script is taken', () => {
    const asked = { nodePath: '/absent/bin/node', npmExecPath: '/some/npm/bin/npm-cli.js' }
    assert.equal(findNpm(asked), '/some/npm/bin/npm-cli.js')
  })

  test('another package manager is not taken for npm', () => {
    using folder = createFolder({ [cli]: '' })
    const nodePath = folder.at('bin/node')
    assert.equal(findNpm({ nodePath, npmExecPath: '/some/yarn.js' }), folder.at(cli))
  })

  test('outside npm the one beside Node is taken, whatever its package exports', () => {
    const manifest = JSON.stringify({
      name: 'npm',
      exports: { './package.json': './package.json' },
    })
    using folder = createFolder({ [cli]: '', 'lib/node_modules/npm/package.json': manifest })
    assert.equal(findNpm({ nodePath: folder.at('bin/node') }), folder.at(cli))
  })

  test('without one beside Node the one on PATH is taken, and what is no npm is passed over', () => {
    using folder = createFolder({ 'share/npm/bin/npm-cli.js': '', 'shims/npm': '#!/bin/sh\n' })
    mkdirSync(folder.at('bin'))
    symlinkSync('../share/npm/bin/npm-cli.js', folder.at('bin/npm'))
    const onPath = `/absent:${folder.at('shims')}:${folder.at('bin')}`
    const found = findNpm({ nodePath: '/absent/bin/node', path: onPath })
    assert.equal(found, folder.at('share/npm/bin/npm-cli.js'))
  })

  test('none at all is told', () => {
    assert.throws(
      () => findNpm({ nodePath: '/absent/bin/node', path: '/absent' }),
      /No npm is here/,
    )
  })
})

test('run by hand, outside npm, it installs what is missing, and nothing the second time', () => {
  using folder = createFolder({
    'package.json': JSON.stringify({ name: 'small', dependencies: { node: 'file:node' } }),
    'package-lock.json': JSON.stringify({
      name: 'small',
      lockfileVersion: 3,
      packages: {
        '': { name: 'small', dependencies: { node: 'file:node' } },
        node: { name: 'node', version: '1.0.0', bin: { node: 'node.sh' } },
        'node_modules/node': { resolved: 'node', link: true },
      },
    }),
    'node/package.json': JSON.stringify({
      ...{ name: 'node', version: '1.0.0', bin: { node: 'node.sh' } },
    }),
    'node/node.sh': `#!/bin/sh\nexec '${process.execPath}' "$@"\n`,
    'runtime/start/build-console.js': '',
  })
  writeFileSync(folder.at('runtime/package.json'), JSON.stringify({ type: 'module' }))
  for (const name of ['install.js', 'find-npm.js']) {
    cpSync(join(ours, name), folder.at(`runtime/start/${name}`))
  }
  const install = () =>
    spawnSync(process.execPath, [folder.at('runtime/start/install.js')], {
      ...{ encoding: 'utf8', env: { PATH: path, HOME: folder.at('home'), TMPDIR: tmpdir() } },
    })
  const first = install()
  assert.equal(first.status, 0, first.stderr)
  assert.match(first.stderr, /Installed the packages it runs on in \d+ s\./)
  assert.ok(existsSync(folder.at('node_modules/.bin/node')))
  const second = install()
  assert.deepEqual([second.status, second.stderr], [0, ''])
})
