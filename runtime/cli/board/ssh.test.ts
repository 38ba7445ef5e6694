// `treadle loop watch` on another machine: OpenSSH's client in a terminal, its server, and the command behind them.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type SshServer, startSshServer, withSsh } from '../testing/ssh-server.ts'
import { startTerminal, type TerminalOptions, type TestTerminal } from '../testing/terminal.ts'
import { startInstance, type TestInstance } from '../testing.ts'
import { loopOf, passOf } from './testing.ts'

const bin = fileURLToPath(new URL('../treadle.js', import.meta.url))
const ended = { state: 'ended', ending: 'done', endedAt: '2026-01-02T04:00:00Z' } as const
const fix = loopOf('l-1', { name: 'fix-login', ...ended })
const add = loopOf('l-2', { name: 'add-search', createdAt: '2026-01-01T00:00:00Z' })
const endMsMax = 10_000

describe('loop watch over ssh', withSsh, () => {
  let ssh: SshServer
  let instance: TestInstance
  let listeners: ServerResponse[]
  let terminal: TestTerminal

  before(async () => {
    ssh = await startSshServer()
  })
  after(() => ssh[Symbol.asyncDispose]())
  beforeEach(async () => {
    listeners = []
    instance = await startInstance({
      'GET /api/loops': { items: [fix, add], cursor: null, total: 2 },
      'GET /api/loops/live': (_request, response) => {
        listeners.push(response)
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write('retry: 500\n\nevent: hello\ndata: {"at":"x","version":"1"}\n\n')
      },
      'GET /api/loops/l-1/passes': [passOf(1)],
      'GET /api/loops/l-1/output': (_request, response) => {
        response.end('I read the plan.\r\n')
      },
    })
  })
  afterEach(async () => {
    terminal[Symbol.dispose]()
    await instance[Symbol.asyncDispose]()
  })

  /** The command as a person types it there, and what the terminal is like when it is over. */
  const shown = async (options: TerminalOptions = {}) => {
    const watch = [process.execPath, bin, '--state', instance.folder, 'loop', 'watch']
    const line = `${watch.join(' ')}; echo "code $?"; stty -a; stty size`
    terminal = startTerminal('ssh', ssh.argv(line), options)
    await terminal.shows(/[●*] live/)
  }

  test('it draws in the size and the colours of the near terminal, and what changes', async () => {
    await shown({ cols: 120, rows: 30, env: { NO_COLOR: undefined } })
    assert.ok(terminal.isAlternate())
    const screen = await terminal.shows(/▸ ✓ done\s+fix-login/)
    assert.equal(screen.split('\n').length, 30)
    assert.ok(terminal.raw().includes('\u001b[0;32;1m✓'))
    const running = { ...add, pass: { pass: 2, phase: 'gates', startedAt: add.startedAt } }
    for (const each of listeners) each.write(`event: loop\ndata: ${JSON.stringify(running)}\n\n`)
    await terminal.shows(/◐ running\s+add-search\s+1 gates/)
  })

  test('keys and sizes go through, and at the end the terminal is as it was', async () => {
    await shown()
    terminal.type('j')
    await terminal.shows(/▸ . running\s+add-search/)
    terminal.type('\u001b[A') // An arrow: one key, though ssh may cut it in three.
    await terminal.shows(/▸ ✓ done\s+fix-login/)
    terminal.type('\r')
    await terminal.shows('I read the plan.')
    terminal.type('\u001b')
    await terminal.shows('STATE')
    for (const [cols, rows] of [
      [160, 50],
      [60, 12],
    ] as const) {
      terminal.resize(cols, rows)
      await terminal.shows(new RegExp(`fix-login(.*\\n){${rows - 5},}.*j/k`))
      assert.equal(terminal.rows().length, rows)
    }
    terminal.type('q')
    await terminal.shows(/^12 60$/m)
    assert.equal(await terminal.exit, 0)
    assert.match(terminal.raw(), /code 0\r\n.* icanon iexten echo /s)
    isGivenBack()
  })

  test('Ctrl-C is a key like another, and ends it with 130', async () => {
    await shown()
    terminal.type('\u0003')
    await terminal.shows('code 130')
    assert.equal(await terminal.exit, 0)
    isGivenBack()
  })

  for (const [title, cut] of [
    ['a connection that is cut', () => ssh.cut()],
    ['a client that is killed', () => process.kill(terminal.pid, 'SIGKILL')],
  ] as const) {
    test(`${title} ends the command there, and leaves no process`, async () => {
      await shown()
      assert.equal(watchers(instance.folder).length, 1)
      const left = Promise.all(
        listeners.map((each) => new Promise((closed) => each.once('close', closed))),
      )
      cut()
      await Promise.all([terminal.exit, left])
      const last = Date.now() + endMsMax
      while (watchers(instance.folder).length > 0 && Date.now() < last) await sleep(20)
      assert.deepEqual(watchers(instance.folder), [])
    })
  }

  function isGivenBack() {
    assert.equal(terminal.isAlternate(), false)
    const raw = terminal.raw()
    assert.ok(raw.lastIndexOf('[?25h') > raw.lastIndexOf('[?25l'), 'the cursor is shown')
    assert.ok(raw.lastIndexOf('[?2004l') > raw.lastIndexOf('[?2004h'), 'pasting is as before')
  }
})

/** The processes that watch this instance; ssh itself has the same words in one. */
function watchers(folder: string): string[] {
  const commandOf = (pid: string) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    } catch {
      return [] // It has ended meanwhile.
    }
  }
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && commandOf(pid).includes(folder))
}
