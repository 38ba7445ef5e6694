// The list of loops as lines. Pure.
import type { LoopEvent, LoopSummary } from '../../spool/api.ts'
import { createColours } from '../colours.ts'
import { toEventLines } from '../event-text.ts'
import { toSign } from '../signs.ts'
import { elapsedMs, fullest, toGauges, toMoneyText, toSpanText } from './amounts.ts'
import { type Glyphs, signSpan } from './glyphs.ts'
import { type Line, padLine, type Span, span, withLook } from './line.ts'
import { type Board, selectedLoop, shownLoops } from './state.ts'

type Column = {
  title: string
  width: number
  isRight?: boolean
  of(loop: LoopSummary, board: Board, glyphs: Glyphs): Line
}

export function listPage(board: Board, height: number, glyphs: Glyphs): Line[] {
  const shown = shownLoops(board)
  const selected = selectedLoop(board)
  const columns = columnsFor(board.size.cols)
  const titles = toRow(columns, ({ title }) => [span(title, 'dim')])
  const rows = windowOf(shown, selected ? shown.indexOf(selected) : 0, height - 1)
  const lines = rows.map((loop): Line => {
    const row = toRow(columns, ({ of }) => of(loop, board, glyphs))
    if (loop !== selected) return [span('  '), ...row]
    return withLook([span(`${glyphs.pointer} `), ...row], 'bold')
  })
  if (lines.length === 0) lines.push([span('  '), ...emptyLine(board)])
  return [[span('  '), ...titles], ...lines]
}

function emptyLine({ filter, loops, link }: Board): Line {
  if (loops.length > 0) return [span(`No loop has “${filter}” in it. Esc shows all.`, 'dim')]
  if (link.state !== 'live') return []
  return [span('No loops yet. Run one: treadle loop run loop.yaml', 'dim')]
}

function windowOf<T>(items: readonly T[], at: number, height: number): readonly T[] {
  const top = Math.max(0, Math.min(at - Math.floor(height / 2), items.length - height))
  return items.slice(top, top + height)
}

const toRow = (columns: readonly Column[], cell: (column: Column) => Line): Line =>
  columns.flatMap((column) => [...align(cell(column), column), span(' ')])

function align(line: Line, { width, isRight }: Column): Line {
  const kept = padLine(line, width)
  const last = kept.at(-1)!
  const isSpace = isRight && kept.length > line.length && last.text.trim() === ''
  return isSpace ? [last, ...kept.slice(0, -1)] : kept
}

const barCells = 5
const nameColsMax = 40
const lastFrom = 24 // Less has no room for a name and what happened last.

/** The narrowest terminal has 80 columns: the fixed ones take 61 of them, the name and the last event the rest. */
function columnsFor(cols: number): Column[] {
  const isWide = cols >= 140
  const fixed: Column[] = [
    { title: 'PASS', width: 4, isRight: true, of: ({ passes }) => [span(String(passes))] },
    { title: 'NOW', width: 5, of: ({ pass }) => [span(pass?.phase ?? '', 'blue')] },
    { title: 'TIME', width: 6, isRight: true, of: toTime },
    {
      title: 'SPENT',
      width: 7,
      isRight: true,
      of: (loop) => [span(toMoneyText(loop.costNanoUsd))],
    },
    {
      title: 'CAP',
      width: isWide ? 17 : barCells,
      of: (loop, board, glyphs) => toCap(loop, board, glyphs, isWide),
    },
  ]
  const model: Column[] = isWide
    ? [{ title: 'MODEL', width: 22, of: ({ model }) => [span(model, 'dim')] }]
    : []
  const state: Column = { title: 'STATE', width: 14, of: toState }
  const taken = [state, ...fixed, ...model].reduce((sum, { width }) => sum + width + 1, 0)
  const left = cols - taken - 4 // The pointer before, and a space after the name and the last event.
  const hasLast = left >= lastFrom
  const name = hasLast ? Math.min(nameColsMax, Math.ceil(left / 2)) : left + 1
  return [
    state,
    { title: 'NAME', width: name, of: ({ name }) => [span(name)] },
    ...fixed,
    ...model,
    ...(hasLast ? [{ title: 'LAST', width: left - name, of: toLast }] : []),
  ]
}

const toState = (loop: LoopSummary, _: Board, glyphs: Glyphs): Line => {
  const { sign, word } = toSign(loop)
  const { looks } = signSpan(sign, glyphs)
  return [signSpan(sign, glyphs), span(` ${word}`, ...looks)]
}

function toTime(loop: LoopSummary, { now }: Board): Line {
  const ms = elapsedMs(loop, now)
  return [span(ms === null ? '' : toSpanText(ms))]
}

function toCap(loop: LoopSummary, { now }: Board, glyphs: Glyphs, isWide: boolean): Line {
  const { used, name } = fullest(toGauges(loop, now))
  const line = barOf(used, barCells, glyphs)
  return isWide ? [...line, span(` ${Math.round(used * 100)}% ${name}`, 'dim')] : line
}

const tightFrom = 0.8 // From here on a person may want to look.

export function barOf(used: number, cells: number, glyphs: Glyphs): Line {
  const full = Math.min(cells, Math.round(used * cells))
  const look = used >= tightFrom ? 'yellow' : 'blue'
  const bar: Span[] = [span(glyphs.full.repeat(full), look)]
  return [...bar, span(glyphs.empty.repeat(cells - full), 'grey')]
}

const toLast = (loop: LoopSummary, { lastEvents }: Board): Line => {
  const event = lastEvents.get(loop.id)
  return [span(event ? toEventText(event) : (loop.reason ?? ''), 'dim')]
}

const plain = createColours(false)

/** An event in one line. */
export function toEventText(event: LoopEvent): string {
  if (event.event === 'phase') {
    const detail = event.detail?.replace(/\b([0-9a-f]{8})[0-9a-f]{32}\b/g, '$1')
    return `pass ${event.pass}: ${event.phase}${detail ? `, ${detail}` : ''}`
  }
  return toEventLines(event, false, plain)[0] ?? event.event
}
