// The screen as text, at several sizes, beside the golden ones; and what no screen may do, whatever is on it.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { widthOf } from '../table.ts'
import { toFrame } from './frame.ts'
import { glyphsOf } from './glyphs.ts'
import { toAnsi, toPlainLines, toText } from './line.ts'
import type { Board } from './state.ts'
import { learnAll, loopOf, loops, now, passes, passOf, pressAll, startBoard } from './testing.ts'

const unicode = glyphsOf(true)
const sgr = new RegExp(`${String.fromCharCode(27)}\\[0(;[127])*m`, 'g') // Bold, dim, inverse: ours.
const textOf = (board: Board, isUnicode = true) =>
  toFrame(board, glyphsOf(isUnicode)).map(toText).join('\n')

const event = {
  ...{ seq: 7, at: '2026-01-02T03:59:00Z', loop: 'l-running', name: 'loop-l-running' },
  ...({ event: 'phase', pass: 3, phase: 'agent' } as const),
}
const openLoop = (board: Board) =>
  learnAll(
    pressAll(board, 'enter').board,
    { kind: 'passes', id: 'l-running', passes },
    { kind: 'event', event },
    {
      kind: 'output',
      id: 'l-running',
      pass: 3,
      lines: ['I read the plan.', '· bash npm test → exit 1'],
    },
  )

const small = { cols: 80, rows: 24 }
const large = { cols: 200, rows: 60 }
const boards: Readonly<Record<string, Board>> = {
  'list-80x24': startBoard(small),
  'list-200x60': startBoard(large),
  'loop-80x24': openLoop(startBoard(small)),
  'loop-200x60': openLoop(startBoard(large)),
  'loop-first-pass-80x24': pressAll(openLoop(startBoard(small)), 'h', 'h').board,
  'filter-80x24': pressAll(startBoard(small), '/', ...'nothing').board,
  'cancel-80x24': pressAll(startBoard(small), 'c').board,
  'help-80x24': pressAll(startBoard(small), '?').board,
  'lost-80x24': learnAll(
    { ...startBoard(small), now: now - 5_000 },
    {
      ...{ kind: 'link', state: 'lost', why: 'http://127.0.0.1:7400 does not answer.' },
    },
  ),
}

describe('the screen', () => {
  for (const [name, board] of Object.entries(boards)) {
    test(`${name} is drawn as it was looked at`, (t) => {
      const shown = name.startsWith('lost') ? { ...board, now } : board
      const path = fileURLToPath(new URL(`./golden/${name}.txt`, import.meta.url))
      t.assert.fileSnapshot(textOf(shown), path, { serializers: [(text) => text] })
    })
  }

  test('the list of an ASCII terminal is drawn without any other sign', (t) => {
    const text = textOf(openLoop(startBoard(small)), false) + textOf(startBoard(small), false)
    assert.match(text, /^[\n\x20-\x7e]*$/)
    const path = fileURLToPath(new URL('./golden/list-ascii-80x24.txt', import.meta.url))
    t.assert.fileSnapshot(textOf(startBoard(small), false), path, { serializers: [(all) => all] })
  })

  for (const size of [
    small,
    large,
    { cols: 120, rows: 30 },
    { cols: 40, rows: 10 },
    { cols: 20, rows: 3 },
  ]) {
    test(`at ${size.cols}x${size.rows} no line is longer than the screen, and none is missing`, () => {
      const all = [
        startBoard(size),
        openLoop(startBoard(size)),
        pressAll(startBoard(size), '?').board,
      ]
      for (const board of [...all, pressAll(all[1]!, 'h').board]) {
        const frame = toFrame(board, unicode)
        assert.equal(frame.length, size.rows)
        for (const line of frame) assert.ok(widthOf(toText(line)) <= size.cols, toText(line))
      }
    })
  }

  test('a list longer than the screen follows the selection', () => {
    const many = Array.from({ length: 300 }, (_, at) => loopOf(`n${at}`))
    const board = learnAll(startBoard(small), { kind: 'list', items: many, total: 10_000 })
    assert.match(textOf(pressAll(board, 'G').board), /▸ .*loop-n/)
    assert.match(textOf(board), /of 10000 in all/)
  })

  test('a thousand passes fit into one strip, with the selected one in it', () => {
    const many = Array.from({ length: 1_000 }, (_, at) => passOf(at + 1))
    const board = learnAll(openLoop(startBoard(small)), {
      ...{ kind: 'passes', id: 'l-running', passes: many },
    })
    assert.match(textOf(board), /1000✗/)
    assert.match(textOf(board), /pass 1000 /)
  })
})

describe('hostile text on the screen', () => {
  const evil = '\u001b]0;owned\u0007\u001b[2J\r\n\u009b31m\u202egnp\t\u0000'

  test('no escape sequence of a loop, a gate, a plan or an event comes through', () => {
    const hostile = loopOf('l-running', {
      ...{ name: evil, reason: evil, model: evil, repository: `/${evil}`, ref: evil, agent: evil },
      createdAt: '2027-01-01T00:00:00Z',
    })
    const gates = [{ name: evil, exit: 1, ms: 5, timedOut: false, output: evil }]
    const plan = [{ text: evil, isDone: false }]
    const board = learnAll(
      pressAll(learnAll(startBoard(large), { kind: 'loop', loop: hostile }), 'enter').board,
      { kind: 'passes', id: 'l-running', passes: [passOf(1, { gates, plan, reason: evil })] },
      { kind: 'output', id: 'l-running', pass: 1, lines: toPlainLines(`${evil}\nfine`) },
      { kind: 'event', event: { ...event, detail: evil } },
      { kind: 'said', text: evil, isGood: false },
    )
    const list = pressAll(board, 'escape', '/', `paste ${evil}`).board
    for (const shown of [board, list, pressAll(board, 'c').board]) {
      for (const line of toFrame(shown, unicode).map((each) => toAnsi(each, false))) {
        const own = line.replace(sgr, '')
        assert.doesNotMatch(own, /[\p{Cc}\p{Bidi_Control}]/u)
      }
    }
  })

  test("an agent's output is read as a terminal would have shown it", () => {
    const output =
      '\u001b[32mgreen\u001b[0m\r\n10%\r50%\r100%\n\u001b]8;;http://x\u0007link\u001b]8;;\u0007\n\n\n'
    assert.deepEqual(toPlainLines(output), ['green', '100%', 'link'])
  })

  test('without colours the looks that are left are none', () => {
    const lines = toFrame(startBoard(small), unicode).map((line) => toAnsi(line, false))
    assert.equal(lines.join('').replace(sgr, '').includes('\u001b'), false)
    assert.match(lines.join('').replace(sgr, ''), /◐ running/)
  })

  test('every state has a word and a sign of its own look', () => {
    const text = textOf(startBoard(large))
    for (const { ending, state } of loops) {
      assert.ok(text.includes(ending ?? (state === 'queued' ? 'waiting' : state)))
    }
  })
})
