import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stripAnsi, toOutputLines, toText } from './ansi.ts'

const only = (text: string) => toOutputLines(text).map(toText)

test('colours of a program come out as pieces, and hold on over line breaks', () => {
  assert.deepEqual(toOutputLines('a\u001b[31mb\nc\u001b[0md'), [
    [
      { text: 'a', colour: null, isBold: false },
      { text: 'b', colour: 'red', isBold: false },
    ],
    [
      { text: 'c', colour: 'red', isBold: false },
      { text: 'd', colour: null, isBold: false },
    ],
  ])
})

test('bold, grey and bright colours are known, and colours by number change nothing', () => {
  const [line] = toOutputLines('\u001b[1;32mx\u001b[22;90my\u001b[38;5;196mz\u001b[38;2;1;2;3mw')
  assert.deepEqual(
    line?.map(({ colour, isBold }) => [colour, isBold]),
    [
      ['green', true],
      ['grey', false],
      ['grey', false],
      ['grey', false],
    ],
  )
})

test('sequences that move, title, link or reach for the clipboard are dropped', () => {
  const hostile = [
    'a\u001b[2J\u001b[10;10Hb',
    'a\u001b]0;owned\u0007b',
    'a\u001b]8;;http://evil\u001b\\b',
    'a\u001b]52;c;aGk=\u0007b',
    'a\u001bP1;2|boo\u001b\\b',
    'a\u001b[?1049hb',
  ]
  for (const text of hostile) {
    assert.deepEqual(only(text), ['ab'], JSON.stringify(text))
    assert.equal(stripAnsi(text), 'ab', JSON.stringify(text))
  }
})

test('what a progress bar wrote last is the line that is shown', () => {
  assert.deepEqual(only('10%\r50%\r\u001b[32m100%\u001b[0m\ndone\r\n'), ['100%', 'done'])
})

test('an unseen character in an output is named', () => {
  assert.deepEqual(only('a\u202eb\u0000'), ['a‹U+202E›b‹U+0000›'])
})

test('a long run of escapes is read in a time that grows with its length', () => {
  const text = '\u001b['.repeat(200_000)
  const before = performance.now()
  toOutputLines(text)
  assert.ok(performance.now() - before < 2_000)
})

test('an output of nothing but carriage returns is read once', () => {
  const text = '\r'.repeat(64 * 1024)
  const lines = toOutputLines(`${text}x\n${text}`)
  assert.deepEqual(lines.map(toText), ['x', ''])
})
