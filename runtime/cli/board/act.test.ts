import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { selectedLoop, selectedPass, shownLoops } from './state.ts'
import { learnAll, loopOf, passes, passOf, pressAll, startBoard } from './testing.ts'

const nameAfter = (...keys: string[]) => selectedLoop(pressAll(startBoard(), ...keys).board)?.id

describe('keys on the board', () => {
  for (const [keys, id] of [
    [[], 'l-running'],
    [['j', 'down'], 'l-paused'],
    [['j', 'j', 'k'], 'l-queued'],
    [['up'], 'l-running'],
    [['G'], 'l-cancelled'],
    [['end', 'home'], 'l-running'],
    [['page-down'], 'l-cancelled'],
    [['x', 'left', 'nonsense'], 'l-running'],
  ] as const) {
    test(`${keys.join(' ') || 'nothing'} selects ${id}`, () => {
      assert.equal(nameAfter(...keys), id)
    })
  }

  test('the selected loop stays selected when a new one comes above it', () => {
    const { board } = pressAll(startBoard(), 'j')
    const newer = loopOf('l-new', { createdAt: '2027-01-01T00:00:00Z' })
    const after = learnAll(board, { kind: 'loop', loop: newer })
    assert.equal(after.loops[0]!.id, 'l-new')
    assert.equal(after.total, board.total + 1)
    assert.equal(selectedLoop(after)?.id, 'l-queued')
  })

  test('a filter is typed, kept by Enter, dropped by Esc', () => {
    const typed = pressAll(startBoard(), '/', ...'STUCK').board
    assert.deepEqual(
      shownLoops(typed).map(({ id }) => id),
      ['l-stuck'],
    )
    const kept = pressAll(typed, 'enter', '/', 'x')
    assert.equal(kept.board.filter, 'STUCKx')
    assert.equal(pressAll(kept.board, 'escape').board.filter, 'STUCK')
    assert.equal(pressAll(kept.board, 'escape', 'escape').board.filter, '')
    assert.equal(pressAll(typed, 'backspace', 'backspace').board.filter, 'STU')
    assert.equal(pressAll(typed, 'ctrl-u', 'paste a b\nc').board.filter, 'a b')
  })

  test('letters typed into a filter do nothing else', () => {
    assert.deepEqual(pressAll(startBoard(), '/', 'q', 'c', 'y', 'r', 'p', 'a').effects, [])
  })

  test('c asks, and only y cancels', () => {
    const asked = pressAll(startBoard(), 'c')
    assert.deepEqual(asked.effects, [])
    assert.equal(asked.board.prompt?.kind, 'cancel')
    for (const key of ['n', 'enter', 'escape', 'paste y', 'Y']) {
      const answered = pressAll(asked.board, key)
      assert.deepEqual(answered.effects, [], key)
      assert.equal(answered.board.prompt, null)
    }
    const [effect] = pressAll(asked.board, 'y').effects
    assert.ok(effect?.kind === 'act' && effect.verb === 'cancel' && effect.loop.id === 'l-running')
  })

  test('the question stays about its loop when another one comes above it', () => {
    const asked = pressAll(startBoard(), 'c').board
    const newer = loopOf('l-new', { createdAt: '2027-01-01T00:00:00Z' })
    const [effect] = pressAll(learnAll(asked, { kind: 'loop', loop: newer }), 'y').effects
    assert.ok(effect?.kind === 'act' && effect.loop.id === 'l-running')
  })

  test('p pauses what runs, and resumes what is held', () => {
    const verbOf = (...keys: string[]) => {
      const [effect] = pressAll(startBoard(), ...keys).effects
      return effect?.kind === 'act' ? effect.verb : effect?.kind
    }
    assert.equal(verbOf('p'), 'pause')
    assert.equal(verbOf('j', 'j', 'p'), 'resume')
    assert.equal(verbOf('a'), 'attach')
    assert.equal(verbOf('G', 'r'), 'retry')
  })

  test('what can’t be done is told, and not tried', () => {
    for (const keys of [['r'], ['G', 'c'], ['G', 'p'], ['G', 'a']]) {
      const { board, effects } = pressAll(startBoard(), ...keys)
      assert.deepEqual(effects, [], keys.join(' '))
      assert.match(board.notice?.text ?? '', /has ended|still runs/)
    }
  })

  test('q quits with 0, Ctrl-C with 130 from everywhere', () => {
    assert.deepEqual(pressAll(startBoard(), 'q').effects, [{ kind: 'quit', code: 0 }])
    for (const keys of [[], ['/'], ['c'], ['?'], ['enter']]) {
      const { effects } = pressAll(startBoard(), ...keys, 'ctrl-c')
      assert.deepEqual(effects, [{ kind: 'quit', code: 130 }])
    }
  })
})

describe('keys in a loop', () => {
  const opened = learnAll(pressAll(startBoard(), 'enter').board, {
    ...{ kind: 'passes', id: 'l-running', passes },
  })

  test('the newest pass is shown until another one is selected', () => {
    assert.equal(selectedPass(opened)?.pass, 3)
    const back = pressAll(opened, 'left', 'h', 'h').board
    assert.equal(selectedPass(back)?.pass, 1)
    const more = { kind: 'passes', id: 'l-running', passes: [passOf(4)] } as const
    assert.equal(selectedPass(learnAll(back, more))?.pass, 1)
    assert.equal(selectedPass(learnAll(opened, more))?.pass, 4)
    assert.equal(selectedPass(pressAll(back, 'right', 'l', 'l').board)?.pass, 3)
  })

  test('output of a pass that is not selected any more is dropped', () => {
    const back = pressAll(opened, 'left').board
    const late = { kind: 'output', id: 'l-running', pass: 3, lines: ['late'] } as const
    assert.deepEqual(learnAll(back, late).opened?.output, [])
    assert.deepEqual(learnAll(opened, late).opened?.output, ['late'])
  })

  test('j and k scroll the output no further than it goes', () => {
    const lines = ['a', 'b', 'c']
    const filled = learnAll(opened, { kind: 'output', id: 'l-running', pass: 3, lines })
    assert.equal(pressAll(filled, 'k').board.opened?.back, 1)
    assert.equal(pressAll(filled, 'k', 'k', 'k', 'k').board.opened?.back, 2)
    assert.equal(pressAll(filled, 'k', 'j', 'j').board.opened?.back, 0)
  })

  test('each event is shown once, however often it comes', () => {
    const head = { at: '2026-01-02T03:59:00Z', loop: 'l-running', name: 'x', seq: 9 }
    const event = { ...head, event: 'phase', pass: 3, phase: 'agent' } as const
    const twice = learnAll(opened, { kind: 'event', event }, { kind: 'event', event })
    assert.equal(twice.opened?.events.length, 1)
  })

  test('Esc goes back to the same loop in the list', () => {
    const { board } = pressAll(startBoard(), 'j', 'enter', 'escape')
    assert.equal(board.opened, null)
    assert.equal(selectedLoop(board)?.id, 'l-queued')
  })
})

test('a notice goes by itself', () => {
  const said = learnAll(startBoard(), { kind: 'said', text: 'Done.', isGood: true })
  assert.equal(learnAll(said, { kind: 'tick' }).notice?.text, 'Done.')
  assert.equal(learnAll({ ...said, now: said.now + 10_000 }, { kind: 'tick' }).notice, null)
})
