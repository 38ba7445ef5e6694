import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { spawn } from '@lydell/node-pty'
import fc from 'fast-check'
import { parseRecording, planPauses } from './recording.ts'
import { pass, run, startInstance, type TestInstance } from './testing.ts'

const bin = fileURLToPath(new URL('./treadle.js', import.meta.url))
const header = '{"version":2,"width":80,"height":24,"timestamp":1}'
const cast = (...moments: unknown[]) =>
  [header, ...moments.map((moment) => JSON.stringify(moment)), ''].join('\n')
const pace = { speed: 1, idleMsMax: 2_000 }

describe('a recording is played', () => {
  test('with its pauses, cut where they are long, and faster when asked', () => {
    const recording = parseRecording(
      cast(
        [7_200, 'o', 'a'],
        [7_200.5, 'r', '100x30'],
        [7_201, 'i', 'key'],
        [7_201, 'o', 'b'],
        [9_000, 'o', 'c'],
      ),
    )
    assert.deepEqual(planPauses(recording, pace), [
      { pauseMs: 0, text: 'a' },
      { pauseMs: 1_000, text: 'b' },
      { pauseMs: 2_000, text: 'c' },
    ])
    assert.deepEqual(
      planPauses(recording, { speed: 4, idleMsMax: 500 }).map(({ pauseMs }) => pauseMs),
      [0, 125, 125],
    )
  })

  test('without a pause that is negative or endless, whatever its times say', () => {
    const moment = fc.tuple(
      fc.double({ min: 0, max: 1e9, noNaN: true }),
      fc.constantFrom('o', 'r'),
      fc.string(),
    )
    fc.assert(
      fc.property(fc.array(moment), (moments) => {
        for (const { pauseMs } of planPauses(parseRecording(cast(...moments)), pace)) {
          assert.ok(pauseMs >= 0 && pauseMs <= 2_000, String(pauseMs))
        }
      }),
    )
  })

  for (const [what, text] of [
    ['nothing', ''],
    ['another version', '{"version":3,"width":1,"height":1}\n'],
    ['no JSON', 'text\n'],
    ['a moment without text', cast([1, 'o'])],
    ['a moment before the start', cast([-1, 'o', 'x'])],
    ['a moment at no time', `${header}\n[1e999,"o","x"]\n`],
    ['a moment that is no list', `${header}\n{"at":1}\n`],
  ] as const) {
    test(`and ${what} is refused as none`, () => {
      assert.throws(() => parseRecording(text), /no recording/)
    })
  }
})

describe('recordings by command', () => {
  let instance: TestInstance
  const recording = cast([0.1, 'o', '\u001b[1mone'], [0.3, 'o', 'two\r\n'])
  before(async () => {
    const send = { 'content-type': 'application/x-asciicast' }
    instance = await startInstance({
      'GET /api/loops/l-1/passes': [
        { ...pass, pass: 1, hasRecording: true },
        { ...pass, pass: 2, hasRecording: true },
        { ...pass, pass: 3, hasRecording: false },
      ],
      'GET /api/loops/l-2/passes': [pass],
      'GET /api/loops/l-1/passes/2/recording': (_, response) =>
        response.writeHead(200, send).end(recording),
      'GET /api/loops/l-1/passes/1/recording': (_, response) =>
        response.writeHead(200, send).end(cast([5, 'o', 'first'], [900, 'o', '.'])),
      'GET /api/sandboxes/sb1/agent/recording': (_, response) =>
        response.writeHead(200, send).end(recording),
    })
  })
  after(() => instance[Symbol.asyncDispose]())

  test('loop replay plays the newest one there is, or the pass that is named', async () => {
    const newest = await run(instance.folder, ['loop', 'replay', 'l-1'])
    assert.deepEqual([newest.code, newest.stdout], [0, '\u001b[1monetwo\r\n'])
    assert.match(newest.stderr, /pass 2/)
    const startedAt = performance.now()
    const argv = ['loop', 'replay', 'l-1', '--pass', '1', '--speed', '10', '--idle', '5']
    const named = await run(instance.folder, argv)
    assert.equal(named.stdout, 'first.')
    assert.ok(performance.now() - startedAt >= 499)
  })

  test('loop replay says when there is none, and what is no number', async () => {
    const none = await run(instance.folder, ['loop', 'replay', 'l-2'])
    assert.deepEqual([none.code, none.stdout], [1, ''])
    assert.match(none.stderr, /No pass of this loop has a recording/)
    for (const speed of ['0', '-1', 'fast', 'Infinity']) {
      const { code } = await run(instance.folder, ['loop', 'replay', 'l-1', `--speed=${speed}`])
      assert.equal(code, 2, speed)
    }
  })

  test('loop replay on a terminal ends at q, and gives the terminal back', async () => {
    const argv = ['--state', instance.folder, 'loop', 'replay', 'l-1', '--pass=1', '--idle=60']
    const terminal = spawn(process.execPath, [bin, ...argv], { cols: 60, rows: 20 })
    let screen = ''
    const shown = new Promise<void>((found) => {
      terminal.onData((text) => {
        screen += text
        if (screen.includes('first')) found()
      })
    })
    const exit = new Promise<number>((ended) => {
      terminal.onExit(({ exitCode }) => ended(exitCode))
    })
    await shown
    assert.match(screen, /written for 80 columns and 24 rows; this terminal has 60 and 20/)
    terminal.write('\u001b[5;5R') // An answer that a terminal gave to what was played.
    terminal.write('q')
    assert.equal(await exit, 0)
    assert.ok(screen.includes('\u001b[?1049l'))
    assert.doesNotMatch(screen, /5;5R/)
  })

  test('sandbox record prints it as it came, into a file and not onto a terminal', async () => {
    const { code, stdout } = await run(instance.folder, ['sandbox', 'record', 'sb1'])
    assert.deepEqual([code, stdout], [0, recording])
    const argv = [bin, '--state', instance.folder, 'sandbox', 'record', 'sb1']
    const terminal = spawn(process.execPath, argv, {})
    let screen = ''
    terminal.onData((text) => {
      screen += text
    })
    const exit = await new Promise<{ exitCode: number }>((ended) => {
      terminal.onExit(ended)
    })
    assert.equal(exit.exitCode, 2)
    assert.match(screen, /Write it to a file/)
  })
})
