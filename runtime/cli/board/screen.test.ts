// `treadle loop watch` in a real terminal, as a person sees it; its server is told what to say, and when to fall silent.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startTerminal, type TerminalOptions, type TestTerminal } from '../testing/terminal.ts'
import { answer, run, startInstance, type TestInstance } from '../testing.ts'
import { loopOf, passOf } from './testing.ts'

const bin = fileURLToPath(new URL('../treadle.js', import.meta.url))
const ended = { state: 'ended', ending: 'done', endedAt: '2026-01-02T04:00:00Z' } as const
const fix = loopOf('l-1', { name: 'fix-login', ...ended })
const add = loopOf('l-2', { name: 'add-search', createdAt: '2026-01-01T00:00:00Z' })

let instance: TestInstance
let listeners: ServerResponse[]
let terminal: TestTerminal

const listing = (...items: object[]) => ({ items, cursor: null, total: items.length })
const send = (name: string, data: object) => {
  for (const each of listeners) each.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`)
}

beforeEach(async () => {
  listeners = []
  instance = await startInstance({
    'GET /api/loops': listing(fix),
    'GET /api/loops/live': (_request, response) => {
      listeners.push(response)
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('retry: 500\n\nevent: hello\ndata: {"at":"x","version":"1"}\n\n')
    },
    'GET /api/loops/l-1/passes': [passOf(1)],
    'GET /api/loops/l-1/output': (_request, response) => {
      response.end('\u001b]0;owned\u0007\u001b[31mI read the plan.\u001b[0m\r\n')
    },
  })
})
afterEach(async () => {
  terminal?.[Symbol.dispose]()
  await instance[Symbol.asyncDispose]()
})

const start = (options: TerminalOptions = {}, ...ids: string[]) => {
  const argv = [bin, '--state', instance.folder, 'loop', 'watch', ...ids]
  terminal = startTerminal(process.execPath, argv, options)
  return terminal
}
const shown = async (options: TerminalOptions = {}, ...ids: string[]) => {
  start(options, ...ids)
  await terminal.shows(/[●*] live/)
  return terminal
}

describe('loop watch', () => {
  test('shows what runs on a screen of its own, and what changes', async () => {
    await shown()
    assert.ok(terminal.isAlternate())
    await terminal.shows(/▸ ✓ done\s+fix-login/)
    send('loop', { ...add, pass: { pass: 2, phase: 'gates', startedAt: add.startedAt } })
    await terminal.shows(/◐ running\s+add-search\s+1 gates/)
    send('event', {
      ...{ seq: 3, at: add.createdAt, loop: 'l-2', name: 'x' },
      ...{ event: 'phase', pass: 2, phase: 'gates' },
    })
    await terminal.shows('pass 2: gates')
  })

  test('an idle screen sends nothing', async () => {
    await shown()
    await sleep(300)
    const before = terminal.bytes()
    await sleep(3_000)
    assert.equal(terminal.bytes() - before, 0)
  })

  test('a change draws its own line and no other', async () => {
    await shown()
    await sleep(200)
    const before = terminal.raw().length
    send('loop', { ...fix, passes: 7 })
    await terminal.shows(/fix-login\s+7/)
    const drawn = terminal.raw().slice(before)
    assert.equal(drawn.match(/\[\d+;1H/g)?.length, 1)
    assert.ok(drawn.length < 400, JSON.stringify(drawn))
  })

  test('a loop opens with passes, gates and plan, and its output drives nothing', async () => {
    await shown()
    terminal.type('\r')
    const screen = await terminal.shows('I read the plan.')
    assert.match(screen, /✗ test {2}20 ms {2}exit 1 {2}1 failed/)
    assert.match(screen, /☐ parse the body/)
    assert.ok(!terminal.raw().includes('owned'), 'the title stays')
    terminal.type('\u001b')
    await terminal.shows('STATE')
  })

  test('one loop by its id is opened at once', async () => {
    instance.routes['GET /api/loops/l-1'] = fix
    await shown({}, 'l-1')
    await terminal.shows('I read the plan.')
    send('loop', add)
    terminal.type('\u007f')
    await terminal.shows('STATE')
    await sleep(200)
    assert.ok(!terminal.text().includes('add-search'), 'others are not watched')
  })

  test('c and y cancel, r runs again, and what the server says is shown', async () => {
    instance.routes['GET /api/loops'] = listing(add)
    instance.routes['POST /api/loops/l-2/cancel'] = { ...add, ...ended }
    instance.routes['POST /api/loops/l-2/pause'] = (_, response) =>
      answer(response, 409, { code: 'loop/ended', message: 'It has\u001b[2J ended.' })
    await shown()
    terminal.type('c')
    await terminal.shows('End add-search now?')
    terminal.type('n')
    await terminal.lacks('End add-search now?')
    terminal.type('cy')
    await terminal.shows('add-search ends.')
    terminal.type('p')
    await terminal.shows('It has\\x1b[2J ended.')
    const posted = instance.asked.filter(({ method }) => method === 'POST')
    assert.deepEqual(
      posted.map(({ path }) => path),
      ['/api/loops/l-2/cancel', '/api/loops/l-2/pause'],
    )
  })

  test('follows the size of the terminal', async () => {
    await shown()
    for (const [cols, rows] of [
      [200, 60],
      [60, 12],
      [30, 5],
      [80, 24],
    ] as const) {
      terminal.resize(cols, rows)
      if (cols < 40) await terminal.shows('40x10 at least')
      else await terminal.shows(/fix-login[\s\S]*\n.*j\/k/)
      assert.equal(terminal.rows().length, rows)
    }
    const screen = await terminal.shows(/q quit$/)
    assert.equal(screen.match(/fix-login/g)?.length, 1, 'nothing is left of the other sizes')
  })
})

describe('loop watch when things go wrong', () => {
  test('a connection that breaks is shown, and heals with what happened meanwhile', async () => {
    await shown()
    instance.routes['GET /api/loops'] = listing(fix, add)
    const live = instance.routes['GET /api/loops/live']!
    instance.routes['GET /api/loops/live'] = (_, response) => answer(response, 503, { code: 'x' })
    for (const listener of listeners) listener.destroy()
    await terminal.shows(/connection lost \d+s ago/, 3_000)
    instance.routes['GET /api/loops/live'] = live
    await terminal.shows('● live', 5_000)
    await terminal.shows('add-search')
  })

  test('a database that is down is shown, and its return as well', async () => {
    await shown()
    send('health', { database: 'down' })
    await terminal.shows('its database is down')
    instance.routes['GET /api/loops'] = listing(fix, add)
    send('health', { database: 'up' })
    await terminal.shows('● live')
    await terminal.shows('add-search')
  })

  test('a key that is revoked ends it with the reason, and the terminal is given back', async () => {
    await shown()
    instance.routes['GET /api/loops/live'] = (_, response) =>
      answer(response, 401, { code: 'caller/unknown', message: 'Say who you are.' })
    for (const listener of listeners) listener.destroy()
    assert.equal(await terminal.exit, 1)
    assert.match(terminal.text(), /Say who you are/)
    isGivenBack()
  })

  test('an error of its own gives the terminal back', async () => {
    await shown()
    send('loop', { ...fix, caps: null })
    assert.notEqual(await terminal.exit, 0)
    isGivenBack()
  })

  for (const [title, end, code] of [
    ['q', () => terminal.type('q'), 0],
    ['Ctrl-C', () => terminal.type('\u0003'), 130],
    ['SIGTERM', () => process.kill(terminal.pid, 'SIGTERM'), 143],
    ['SIGHUP', () => process.kill(terminal.pid, 'SIGHUP'), 129],
  ] as const) {
    test(`${title} ends it with ${code}, and the terminal is given back`, async () => {
      await shown()
      end()
      assert.equal(await terminal.exit, code)
      isGivenBack()
    })
  }

  test('it comes back from an attached terminal that could not be opened', async () => {
    instance.routes['GET /api/loops'] = listing(add)
    instance.routes['GET /api/loops/l-2/passes'] = []
    await shown()
    terminal.type('a')
    await terminal.shows('No agent of this loop is at work')
    assert.ok(terminal.isAlternate())
    terminal.type('q')
    assert.equal(await terminal.exit, 0)
  })

  function isGivenBack() {
    assert.equal(terminal.isAlternate(), false)
    const raw = terminal.raw()
    for (const mode of ['?25', '?7', '?2004', '?1049']) {
      const set = Math.max(raw.lastIndexOf(`[${mode}h`), raw.lastIndexOf(`[${mode}l`))
      const isOn = raw[set + mode.length + 1] === 'h'
      assert.equal(isOn, mode === '?25' || mode === '?7', mode)
    }
  }
})

describe('loop watch on terminals of every kind', () => {
  for (const term of ['xterm', 'screen', 'tmux-256color', 'vt100']) {
    test(`TERM=${term} shows signs in colours`, async () => {
      await shown({ env: { TERM: term, NO_COLOR: undefined } })
      await terminal.shows(/▸ ✓ done/)
      assert.ok(terminal.raw().includes('\u001b[0;32;1m✓'))
    })
  }

  test('NO_COLOR leaves signs and words', async () => {
    await shown({ env: { NO_COLOR: '1' } })
    await terminal.shows(/▸ ✓ done/)
    assert.doesNotMatch(terminal.raw(), new RegExp(`${String.fromCharCode(27)}\\[[\\d;]*[39]\\dm`))
  })

  for (const [title, env] of [
    ['the Linux console', { TERM: 'linux' }],
    ['a terminal without UTF-8', { LANG: 'C', LC_ALL: undefined }],
  ] as const) {
    test(`${title} gets ASCII alone`, async () => {
      await shown({ env })
      await terminal.shows(/> \+ done/)
      assert.ok(Buffer.from(terminal.raw()).every((byte) => byte < 128))
    })
  }

  test('a dumb terminal, none at all, and a program are refused with what to use instead', async () => {
    start({ env: { TERM: 'dumb' } })
    assert.equal(await terminal.exit, 2)
    assert.match(terminal.text().replaceAll('\n', ' '), /TERM is dumb.*loop list/)
    const piped = await run(instance.folder, ['loop', 'watch'])
    assert.equal(piped.code, 2)
    assert.match(piped.stderr, /this is no terminal/)
    const json = await run(instance.folder, ['loop', 'watch', '--json'])
    assert.equal(JSON.parse(json.stderr).error.code, 'cli/usage')
  })

  test('what is wrong at the start is told on the usual screen', async () => {
    instance.server.close()
    instance.server.closeAllConnections()
    await once(instance.server, 'close')
    start()
    assert.equal(await terminal.exit, 1)
    assert.match(terminal.text(), /does not answer/)
    assert.ok(!terminal.raw().includes('?1049h'))
  })
})
