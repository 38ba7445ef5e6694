import assert from 'node:assert/strict'
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { commands } from './commands/index.ts'
import { defaultStateFolder } from './state-folder.ts'
import { answer, loop, run, startInstance, type TestInstance, writeInstance } from './testing.ts'

describe('program', () => {
  let instance: TestInstance
  before(async () => {
    instance = await startInstance({ 'GET /api/loops': { items: [loop], cursor: null } })
  })
  after(() => instance[Symbol.asyncDispose]())

  for (const { name } of commands) {
    test(`${name} shows examples in its help`, async () => {
      const { stdout, code } = await run(instance.folder, [...name.split(' '), '--help'])
      assert.equal(code, 0)
      assert.ok(stdout.includes(`$ treadle ${name}`), stdout)
      assert.match(stdout, /--json/)
    })
  }

  for (const [title, argv, says] of [
    ['an unknown command', ['fly'], /unknown command 'fly'/],
    ['an unknown option', ['loop', 'list', '--fast'], /unknown option '--fast'/],
    ['a missing argument', ['loop', 'run'], /missing required argument 'file'/],
    ['an argument too many', ['status', 'now'], /too many arguments/],
    ['a group without a command', ['loop'], /Commands:/],
    [
      'a kind that there is not',
      ['provider', 'add', 'a', '--kind', 'x', '--key-file', 'f'],
      /choices/,
    ],
    ['a provider without its key file', ['provider', 'add', 'a', '--kind', 'openai'], /--key-file/],
    ['days that are no count', ['key', 'create', 'a', '--days', '-1'], /--days -1 is no count/],
    ['an address without a key', ['status', '--url', 'http://127.0.0.1:1'], /go together/],
    [
      'an address that is none',
      ['status', '--url', 'x', '--key-file', '/dev/null'],
      /is no address/,
    ],
    [
      'a key file that is absent',
      ['status', '--url', 'http://127.0.0.1:1', '--key-file', '/no'],
      /no such file/,
    ],
    ['a loop file that is absent', ['loop', 'run', '/no.yaml'], /no such file/],
  ] as const) {
    test(`${title} is wrong use, and exits with 2`, async () => {
      const { code, stdout, stderr } = await run(instance.folder, [...argv])
      assert.equal(code, 2)
      assert.match(stderr, says)
      assert.equal(stdout, '')
    })
  }

  test('treadle alone says what runs, and what one may do next', async () => {
    instance.routes['GET /api/status'] = { version: '1.2.3', url: 'http://127.0.0.1:7400' }
    instance.routes['GET /api/loops'] = { items: [loop], cursor: null, total: 3 }
    const { code, stdout } = await run(instance.folder, [])
    assert.equal(code, 0)
    assert.match(stdout, /Treadle 1\.2\.3 at http:\/\/127\.0\.0\.1:7400\n3 at work/)
    assert.match(stdout, /l-1 +running +fix-login[\s\S]*treadle loop watch/)
    const json = await run('/x', ['--json', '--state', instance.folder])
    assert.equal(JSON.parse(json.stdout).counts.going, 3)
  })

  test('treadle alone says how to start one where none runs', async () => {
    const { code, stdout } = await run('/nowhere', [])
    assert.equal(code, 0)
    assert.match(stdout, /No Treadle runs here: .*npm start[\s\S]*treadle doctor/)
  })

  test('help before a command is its help', async () => {
    const { stdout } = await run(instance.folder, ['loop', 'run', '--help'])
    const help = await run(instance.folder, ['help', 'loop', 'run'])
    assert.equal(help.code, 0)
    assert.equal(help.stdout, stdout)
    const group = await run(instance.folder, ['help', 'provider'])
    assert.match(group.stdout, /\$ treadle provider add/)
  })

  for (const [argv, nearest] of [
    [['lop', 'run'], /Did you mean loop\?/],
    [['loop', 'rum'], /Did you mean run\?/],
    [['attach', 'x'], /Did you mean treadle loop attach, treadle sandbox attach\?/],
    [['loop', 'list', '--limt', '3'], /Did you mean --limit\?/],
  ] as const) {
    test(`${argv.join(' ')} is told the nearest that there is`, async () => {
      const { code, stderr } = await run(instance.folder, [...argv])
      assert.equal(code, 2)
      assert.match(stderr, nearest)
    })
  }

  test('an instance that is not there is told with what to do, and exits with 1', async () => {
    const { code, stderr } = await run('/nowhere', ['status'])
    assert.equal(code, 1)
    assert.match(stderr, /No Treadle runs here: .*npm start/)
    const json = await run('/nowhere', ['status', '--json'])
    assert.equal(JSON.parse(json.stderr).error.code, 'cli/no-instance')
  })

  test('an instance whose process is gone is told', async () => {
    await using gone = await startInstance()
    writeInstance(gone.folder, gone.url, 2 ** 22 + 1) // Over the largest pid that Linux gives.
    assert.match((await run(gone.folder, ['status'])).stderr, /its process 4194305.* is gone/)
  })

  test('a damaged instance file is told', async () => {
    await using damaged = await startInstance()
    writeFileSync(join(damaged.folder, 'instance.json'), '{"url":')
    assert.match((await run(damaged.folder, ['status'])).stderr, /is damaged/)
  })

  test('an address where nothing answers is told, and exits with 1', async () => {
    await using away = await startInstance()
    away.server.close()
    const { code, stderr } = await run(away.folder, ['status'])
    assert.equal(code, 1)
    assert.match(stderr, /does not answer/)
  })

  test('an address where something else answers is told', async () => {
    const server = createServer((_request, response) => response.end('<html>'))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const argv = ['status', '--url', url, '--key-file', join(instance.folder, 'owner.token')]
    const { code, stderr } = await run('/nowhere', argv)
    server.close()
    assert.equal(code, 1)
    assert.match(stderr, /is no JSON/)
  })

  test('an instance elsewhere is reached by its address and a key file', async () => {
    const file = join(instance.folder, 'owner.token')
    const argv = ['--url', instance.url.href, '--key-file', file, 'loop', 'list']
    const { code, stdout } = await run('/nowhere', argv)
    assert.equal(code, 0)
    assert.match(stdout, /fix-login/)
  })

  test('a key that is refused is told, and never shown', async () => {
    const file = join(instance.folder, 'bad.key')
    writeFileSync(file, 'trd_bad')
    const argv = ['loop', 'list', '--url', instance.url.href, '--key-file', file]
    const { code, stderr } = await run('/nowhere', argv)
    rmSync(file)
    assert.equal(code, 1)
    assert.match(stderr, /Is the key right/)
    assert.doesNotMatch(stderr, /trd_bad/)
  })

  test('a failure of the server is told in its own words', async () => {
    instance.routes['GET /api/status'] = (_request, response) => {
      answer(response, 500, { code: 'internal', message: 'The log has it under request 7.' })
    }
    const { code, stderr } = await run(instance.folder, ['status'])
    assert.equal(code, 1)
    assert.equal(stderr, 'treadle: The log has it under request 7.\n')
  })

  test('a table fits the terminal that it is shown on', async () => {
    const { stdout } = await run(instance.folder, ['loop', 'list'], { columns: 70 })
    for (const line of stdout.split('\n')) assert.ok(line.length <= 70, line)
    assert.match(stdout, /…/)
  })

  test('colours are shown where they are asked for, and nowhere else', async () => {
    const coloured = await run(instance.folder, ['loop', 'list'], { hasColours: true })
    assert.ok(coloured.stdout.includes('\u001b[1m'))
    assert.ok(!(await run(instance.folder, ['loop', 'list'])).stdout.includes('\u001b'))
  })

  test('the state folder is found by who runs the command', () => {
    const home = '/home/me'
    const folderOf = (isRoot: boolean, xdgStateHome?: string) =>
      defaultStateFolder({ isRoot, xdgStateHome, home })
    assert.equal(folderOf(true, '/x'), '/var/lib/treadle')
    assert.equal(folderOf(false, '/x'), '/x/treadle')
    assert.equal(folderOf(false), '/home/me/.local/state/treadle')
  })
})
