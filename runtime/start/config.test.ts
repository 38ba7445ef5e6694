import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { loadConfig } from './config.ts'
import { type Options, parseOptions } from './options.ts'

const folder = mkdtempSync(join(tmpdir(), 'treadle-config-'))
after(() => rmSync(folder, { recursive: true }))
const places = { state: '/s', run: '/r', keys: '/s/keys', readable: '/s/readable', app: '/a' }

function load(text: string, ...flags: string[]) {
  const file = join(folder, 'own.yaml')
  writeFileSync(file, text)
  return loadConfig(optionsOf(`--config=${file}`, ...flags), places)
}

function optionsOf(...argv: string[]): Options {
  const parsed = parseOptions(argv, 1000, { HOME: folder })
  return parsed.kind === 'options' ? parsed.options : assert.fail(JSON.stringify(parsed))
}

test("a file's keys win over the defaults, and flags win over the file", () => {
  const text = 'weaver: { diskBytesMax: 64MiB }\nspool: { parallel: 7 }\nauth: { port: 1 }'
  const loaded = load(text, '--parallel=2')
  const { weaver, spool, auth } = loaded.ok ? loaded.value : assert.fail(JSON.stringify(loaded))
  assert.deepEqual(
    [weaver.diskBytesMax, weaver.diskFilesMax, spool.parallel, auth.port],
    [64 * 1024 ** 2, 1_000_000, 2, 1],
  )
})

test('places are filled in in a file as well', () => {
  const loaded = load("proxy: { lineSocket: '{run}/other.sock' }")
  assert.equal(loaded.ok && loaded.value.proxy.lineSocket, '/r/other.sock')
})

test('a key that nobody reads is refused by its path', () => {
  const loaded = load('weaver: { diskMax: 1 }')
  assert.ok(!loaded.ok && JSON.stringify(loaded.problems).includes('diskMax'))
})

for (const [what, options] of [
  ['is absent', () => loadConfig(optionsOf('--config=/no/such.yaml'), places)],
  ['is no YAML', () => load('a: [')],
  ['holds no keys', () => load('- a\n- b')],
] as const) {
  test(`a file that ${what} is a problem of the flag that names it`, () => {
    const loaded = options()
    assert.deepEqual(!loaded.ok && loaded.problems.map(({ path }) => path), ['--config'])
  })
}
