import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseOptions } from './options.ts'

const parsed = (argv: string[], uid = 1000) =>
  parseOptions(argv, uid, { HOME: '/home/ada', XDG_STATE_HOME: undefined })
const optionsOf = (argv: string[], uid?: number) => {
  const result = parsed(argv, uid)
  assert.equal(result.kind, 'options')
  return result.kind === 'options' ? result.options : assert.fail()
}

test('without flags all roles run, with the demo, below the home', () => {
  const { roles, demo, json, state } = optionsOf([])
  assert.deepEqual({ count: roles.length, demo, json }, { count: 5, demo: true, json: false })
  assert.equal(state, '/home/ada/.local/state/treadle')
})

test('root keeps its state where services keep theirs', () => {
  assert.equal(optionsOf([], 0).state, '/var/lib/treadle')
})

test('some roles, ports and a state folder are taken from flags', () => {
  const options = optionsOf([
    '--role=spool,auth',
    '--port=0',
    '--proxy-port',
    '7',
    '--state=/s',
    '--no-demo',
  ])
  assert.deepEqual(options.roles, ['auth', 'spool'])
  assert.deepEqual(
    [options.port, options.proxyPort, options.state, options.demo],
    [0, 7, '/s', false],
  )
})

test('all problems of a command line are told at once', () => {
  const result = parsed(['--port=x', '--role=spool,boss', '--colour=red', 'extra', '--state='])
  assert.equal(result.kind, 'problems')
  const paths = result.kind === 'problems' ? result.problems.map(({ path }) => path) : []
  assert.deepEqual(paths.sort(), ['--colour', '--port', '--role', '--state', 'extra'])
})
