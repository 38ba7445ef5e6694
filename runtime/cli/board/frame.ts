// The whole screen as lines: a head, a page, a line about what is selected, and the keys. Pure.
import { toSign } from '../signs.ts'
import { toSpanText } from './amounts.ts'
import type { Glyphs } from './glyphs.ts'
import { cutLine, type Line, padLine, span, spread, toAscii } from './line.ts'
import { listPage } from './list-page.ts'
import { loopPage } from './loop-page.ts'
import { type Board, openedLoop, selectedLoop, shownLoops } from './state.ts'

export const colsMin = 40
export const rowsMin = 10

/** As many lines as the screen has rows, none longer than it has columns. */
export function toFrame(board: Board, glyphs: Glyphs): Line[] {
  const { cols, rows } = board.size
  if (cols < colsMin || rows < rowsMin) return tooSmall(board)
  const height = rows - 3
  const lines = [
    spread(titleOf(board, glyphs), linkOf(board, glyphs), cols),
    ...pageOf(board, height, glyphs).slice(0, height),
  ]
  while (lines.length < rows - 2) lines.push([])
  const cut = [...lines, aboutOf(board), footOf(board)].map((line) => cutLine(line, cols))
  return glyphs.isUnicode ? cut : cut.map(toAscii)
}

function tooSmall({ size: { cols, rows } }: Board): Line[] {
  const say = cutLine([span(`${colsMin}x${rowsMin} at least. q quits.`)], cols)
  return Array.from({ length: rows }, (_, row) => (row === 0 ? say : []))
}

function pageOf(board: Board, height: number, glyphs: Glyphs): Line[] {
  if (board.prompt?.kind === 'help') return helpPage()
  const loop = openedLoop(board)
  if (!board.opened) return listPage(board, height, glyphs)
  if (!loop) return [[span(' This loop is not in the list.', 'dim')]]
  return loopPage({ board, opened: board.opened, loop, glyphs }, height)
}

function titleOf(board: Board, glyphs: Glyphs): Line {
  const loop = openedLoop(board)
  if (loop) return [span(` ${glyphs.back} `), span(loop.name, 'bold'), span(`  ${loop.id}`, 'dim')]
  const counts = new Map<string, number>()
  for (const each of board.loops) {
    const { sign } = toSign(each)
    const word = each.state === 'ended' ? 'ended' : sign
    counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  const said = ['running', 'waiting', 'paused', 'ended'].flatMap((word) =>
    counts.has(word) ? [`${counts.get(word)} ${word}`] : [],
  )
  const rest = board.total > board.loops.length ? [`of ${board.total} in all`] : []
  const shown = shownLoops(board).length
  const filter = board.filter === '' ? [] : [`/${board.filter}: ${shown}`]
  const text = [...said, ...rest, ...filter].join(` ${glyphs.dot} `)
  return [span(' treadle  ', 'bold'), span(text)]
}

function linkOf({ link, now, database }: Board, glyphs: Glyphs): Line {
  if (link.state === 'lost') {
    const away = toSpanText(now - link.since)
    return [span(`${glyphs.noLink} connection lost ${away} ago, trying again `, 'yellow')]
  }
  if (link.state === 'connecting') return [span(`${glyphs.noLink} connecting `, 'grey')]
  if (database === 'down') return [span(`${glyphs.noLink} its database is down `, 'red')]
  return [span(`${glyphs.link} live `, 'green')]
}

function aboutOf(board: Board): Line {
  const { notice, link } = board
  if (notice) return [span(` ${notice.text}`, notice.isGood ? 'green' : 'yellow')]
  if (link.state === 'lost') return [span(` ${link.why}`, 'yellow')]
  const loop = board.opened ? undefined : selectedLoop(board)
  if (!loop) return []
  const why = loop.reason ?? ''
  return [
    span(` ${loop.id}`, 'dim'),
    span(`  ${loop.repository.split('/').at(-1)}@${loop.ref}  ${why}`),
  ]
}

function footOf(board: Board): Line {
  const { prompt } = board
  if (prompt?.kind === 'filter')
    return [span(' /', 'bold'), span(board.filter), span(' ', 'inverse')]
  if (prompt?.kind === 'cancel') {
    return [
      span(` End ${prompt.name} now? `, 'bold', 'yellow'),
      span('y = yes, any other key = no'),
    ]
  }
  if (prompt?.kind === 'help') return [span(' any key goes back', 'dim')]
  const loop = openedLoop(board) ?? selectedLoop(board)
  const hold = loop?.isHeld ? 'p resume' : 'p pause'
  const acts = ['c cancel', hold, 'r retry', 'a attach']
  const keys = board.opened
    ? ['h/l pass', 'j/k', ...acts, 'Esc', '? help', 'q quit']
    : ['j/k', 'Enter open', '/ filter', ...acts, '? help', 'q quit']
  return padLine([span(` ${keys.join('  ')}`, 'dim')], board.size.cols)
}

const help: readonly (readonly [string, string])[] = [
  ['j k, arrows', 'move in the list; in a loop, scroll the output'],
  ['Page Up/Down, g G', 'move by a page, to the first, to the last'],
  ['Enter', 'open the loop'],
  ['left right, h l', 'in a loop: the pass before, the pass after'],
  ['Esc, Backspace', 'back to the list; in the list, drop the filter'],
  ['/', 'filter by words in name, state, repository, model or id'],
  ['c', 'cancel the loop, after a question'],
  ['p', 'pause it after the pass that runs; or resume it'],
  ['r', 'run an ended loop again'],
  ['a', "open its agent's terminal; Ctrl-] comes back"],
  ['Ctrl-L', 'draw everything anew'],
  ['q, Ctrl-C', 'quit; the loops go on'],
]

const helpPage = (): Line[] => [
  [],
  ...help.map(([keys, what]): Line => [span(`  ${keys.padEnd(20)}`, 'bold'), span(what)]),
]
