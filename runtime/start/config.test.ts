import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { loadConfig } from './config.ts'
import { type Options, parseOptions } from './options.ts'

const places = { state: '/s', run: '/r', keys: '/s/keys', readable: '/s/readable', app: '/a' }
const optionsOf = (...argv: string[]): Options => {
  const parsed = parseOptions(argv, 1000, { HOME: '/home/ada' })
  return parsed.kind === 'options' ? parsed.options : assert.fail(JSON.stringify(parsed))
}
const load = (...argv: string[]) => loadConfig(optionsOf(...argv), places)

test('the defaults are whole: no key is missing, none is unknown, and places are filled', () => {
  const parsed = load()
  assert.ok(parsed.ok, JSON.stringify(parsed))
  assert.equal(parsed.value.proxy.masterKeyFile, '/s/keys/master.key')
  assert.doesNotMatch(JSON.stringify(parsed.value), /\{(state|run|keys|readable|app)\}/)
})

test('every key of the defaults has a line of meaning above it', () => {
  const lines = readFileSync(new URL('../../config/defaults.yaml', import.meta.url), 'utf8').split(
    '\n',
  )
  const bare = lines.filter((line, at) => {
    const isKey = /^\s{2}\w+:/.test(line) // Keys of a role; what is nested in them is explained there.
    return isKey && !/^\s*#/.test(lines[at - 1]!)
  })
  assert.deepEqual(bare, [])
})

test('a flag wins over the file', () => {
  const parsed = load('--port=0', '--proxy-port=9', '--parallel=2', '--log-level=debug')
  assert.ok(parsed.ok)
  const { auth, proxy, spool, log } = parsed.value
  assert.deepEqual([auth.port, proxy.port, spool.parallel, log.level], [0, 9, 2, 'debug'])
})

test('an environment that is not there is told with those that are', () => {
  const parsed = load('--environment=mars')
  assert.ok(!parsed.ok)
  assert.match(parsed.problems[0]!.message, /laptop/)
})
