import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { endings } from '../spool/api.ts'
import {
  answer,
  events,
  loop,
  pass,
  type Route,
  run,
  startInstance,
  type TestInstance,
  toLines,
  writeInstance,
} from './testing.ts'

const yaml = `name: fix-login
repository: app
agent: builtin
model: claude-x
promptFile: prompt.md
gates:
  - name: test
    command: npm test
    timeout: 5
`
const { started, phase, ended } = events
const all = [started, phase, events.pass, ended]
const eventsPath = 'GET /api/loops/l-1/events'

const stream =
  (...some: object[]): Route =>
  (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' }).end(toLines(...some))
  }

describe('loop run', () => {
  let instance: TestInstance
  let file: string

  before(async () => {
    instance = await startInstance()
    mkdirSync(join(instance.folder, 'work'))
    file = join(instance.folder, 'work/loop.yaml')
    writeFileSync(file, yaml)
    writeFileSync(join(instance.folder, 'work/prompt.md'), 'Fix the login.\n')
  })
  after(() => instance[Symbol.asyncDispose]())
  beforeEach(() => {
    instance.asked.length = 0
    instance.routes['POST /api/loops'] = loop
    instance.routes[eventsPath] = stream(...all)
  })

  const runFile = (...more: string[]) => run(instance.folder, ['loop', 'run', file, ...more])

  test('a loop file goes out with its prompt read in and its path made absolute', async () => {
    await runFile('--detach')
    assert.deepEqual(instance.asked.at(-1)?.body, {
      name: 'fix-login',
      repository: join(instance.folder, 'work/app'),
      agent: 'builtin',
      model: 'claude-x',
      prompt: 'Fix the login.\n',
      gates: [{ name: 'test', command: 'npm test', timeout: 5 }],
    })
  })

  test('a person reads a line a pass, and where the result is', async () => {
    const { stdout } = await runFile()
    assert.deepEqual(stdout.split('\n'), [
      'fix-login  starts at 1a2b3c4d  l-1',
      'pass 1  1a2b3c4d  3 files  lint ✓ test ✗  12.3k tokens  $0.0421  a gate is red',
      'done  All gates are green.',
      'result: branch treadle/fix-login-1 in /srv/app',
      '',
    ])
  })

  test('a rehearsal is marked on every line', async () => {
    instance.routes['POST /api/loops'] = { ...loop, isRehearsal: true }
    const { stdout } = await runFile()
    assert.equal(stdout.match(/\(rehearsal\)/g)?.length, 3)
  })

  test('a program reads every event as a line of JSON', async () => {
    const { stdout } = await runFile('--json')
    assert.equal(stdout, toLines(...all))
  })

  for (const [ending, exitCode] of Object.entries(endings)) {
    test(`a loop that ends as ${ending} makes the command exit with ${exitCode}`, async () => {
      instance.routes[eventsPath] = stream(started, { ...ended, ending, exitCode })
      const { code, stdout } = await runFile()
      assert.equal(code, exitCode)
      assert.match(stdout, new RegExp(`^${ending}  `, 'm'))
    })
  }

  test('--detach prints the id alone, and how to watch it', async () => {
    const { stdout, stderr, code } = await runFile('--detach')
    assert.equal(stdout, 'l-1\n')
    assert.match(stderr, /treadle loop show l-1 --follow/)
    assert.equal(code, 0)
    assert.equal(instance.asked.length, 1)
  })

  test('a broken stream is taken up where it broke, and nothing is said twice', async () => {
    let times = 0
    instance.routes[eventsPath] = (_request, response) => {
      times += 1
      if (times === 1) return cutAfter(response, `${toLines(started, phase)}{"seq":3,"ev`)
      if (times === 2) return answer(response, 503, { code: 'peer/absent', message: 'Not up.' })
      response.end(toLines(phase, events.pass, ended)) // One of them again, to be passed over.
    }
    const { stdout, stderr, code } = await runFile('--json')
    assert.equal(stdout, toLines(...all))
    assert.equal(stderr, '')
    assert.equal(code, 0)
    const asked = instance.asked.filter(({ path }) => path.endsWith('/events'))
    assert.deepEqual(
      asked.map(({ query }) => query),
      [
        { follow: '1', after: '0' },
        { follow: '1', after: '2' },
        { follow: '1', after: '2' },
      ],
    )
  })

  test('an instance that starts again elsewhere is found again', async () => {
    await using next = await startInstance({ [eventsPath]: stream(events.pass, ended) })
    instance.routes[eventsPath] = (_request, response) => {
      writeInstance(instance.folder, next.url)
      cutAfter(response, toLines(started, phase))
    }
    const { stdout, stderr, code } = await runFile('--json')
    writeInstance(instance.folder, instance.url)
    assert.equal(code, 0, stderr)
    assert.equal(stdout, toLines(...all))
  })

  test('a person is told once that the connection broke', async () => {
    let times = 0
    instance.routes[eventsPath] = (_request, response) => {
      times += 1
      if (times < 4) return response.destroy()
      response.end(toLines(...all))
    }
    const { stderr, code } = await runFile()
    assert.equal(stderr.match(/Trying again/g)?.length, 1)
    assert.equal(code, 0)
  })

  test('a refusal in mid-stream ends the wait', async () => {
    instance.routes[eventsPath] = (_request, response) => {
      answer(response, 404, { code: 'loop/absent', message: 'No loop has this id.' })
    }
    const { stderr, code } = await runFile()
    assert.match(stderr, /No loop has this id\./)
    assert.equal(code, 1)
  })

  test('Ctrl-C leaves the loop running, and says how to watch it or end it', async () => {
    const stop = new AbortController()
    instance.routes[eventsPath] = (_request, response) => {
      response.write(toLines(started))
      setTimeout(() => stop.abort(130), 50)
    }
    const argv = ['loop', 'run', file]
    const { code, stderr } = await run(instance.folder, argv, { interrupted: stop.signal })
    assert.equal(code, 130)
    assert.match(stderr, /goes on without you/)
    assert.match(stderr, /treadle loop show l-1 --follow/)
    assert.match(stderr, /treadle loop cancel l-1/)
    assert.ok(instance.asked.every(({ path }) => !path.endsWith('/cancel')))
  })

  test('every problem that the server finds is told with its line, its value and its fix', async () => {
    const problems = [
      { path: 'gates.0.timeout', value: '5', message: 'Write a duration such as 30s.' },
      { path: 'prompt', message: 'Too long.' },
      { path: 'caps.usd', value: '-1', message: 'Write a number over 0.' },
    ]
    instance.routes['POST /api/loops'] = (_request, response) => {
      answer(response, 400, { code: 'loop/invalid', message: 'Nothing was stored.', problems })
    }
    const { code, stderr } = await runFile()
    assert.equal(code, 2)
    assert.deepEqual(stderr.split('\n'), [
      'treadle: Nothing was stored.',
      `  ${file}:9 gates.0.timeout = 5: Write a duration such as 30s.`,
      `  ${file}:5 promptFile: Too long.`,
      `  ${file} caps.usd = -1: Write a number over 0.`,
      '',
    ])
    const { stderr: json } = await runFile('--json')
    assert.equal(JSON.parse(json).error.code, 'loop/invalid')
    assert.equal(JSON.parse(json).error.problems.length, 3)
  })

  test('loop show --follow watches a loop that runs already, and exits with its code', async () => {
    instance.routes['GET /api/loops/l-1'] = loop
    instance.routes[eventsPath] = stream(...all.slice(0, 3), { ...ended, exitCode: 20 })
    const { code, stdout } = await run(instance.folder, ['loop', 'show', 'l-1', '--follow'])
    assert.equal(code, 20)
    assert.match(stdout, /^pass 1 /m)
  })

  const hostile = '\u001b]0;owned\u0007\u001b[2J\u009b31m\u202e\r\nnext'

  test("a hostile loop can't drive the terminal of who watches it", async () => {
    const reason = hostile
    const bad = { ...pass, gates: [{ ...pass.gates[0]!, name: hostile }], next: hostile }
    instance.routes[eventsPath] = stream(
      { ...events.pass, pass: bad },
      { ...ended, reason, branch: hostile },
    )
    const { stdout } = await runFile()
    assert.doesNotMatch(stdout, unsafe)
    assert.match(stdout, /\\x1b\]0;owned\\x07\\x1b\[2J\\x9b31m\\u202e/)
    assert.equal(stdout.trimEnd().split('\n').length, 3, 'no text makes a line of its own')
    assert.doesNotMatch((await runFile('--json')).stdout, unsafe)
  })

  test("a hostile refusal can't drive the terminal either", async () => {
    instance.routes['POST /api/loops'] = (_request, response) => {
      const problems = [{ path: hostile, value: hostile, message: hostile }]
      answer(response, 400, { code: hostile, message: hostile, problems })
    }
    const { stderr } = await runFile()
    assert.doesNotMatch(stderr, unsafe)
    assert.doesNotMatch((await runFile('--json')).stderr, unsafe)
  })

  test('loop logs are harmless, and with --raw they are the bytes as they came', async () => {
    const bytes = Buffer.from(`${hostile}\n\xff`, 'latin1')
    instance.routes['GET /api/loops/l-1/output'] = (_request, response) => response.end(bytes)
    const { stdout } = await run(instance.folder, ['loop', 'logs', 'l-1', '--pass', '2'])
    assert.doesNotMatch(stdout, unsafe)
    assert.match(stdout, /owned/)
    assert.deepEqual(instance.asked.at(-1)?.query, { pass: '2' })
    const raw = await run(instance.folder, ['loop', 'logs', 'l-1', '--raw'])
    assert.equal(raw.stdout, bytes.toString())
  })
})

// Control characters other than line end and tab, and what turns the direction of text.
const unsafe = /(?![\n\t])[\p{Cc}\u202e]/u

function cutAfter(response: ServerResponse, text: string): void {
  response.write(text, () => setTimeout(() => response.destroy(), 20))
}
