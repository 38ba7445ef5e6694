// One loop as lines: what it is, its passes, and of the selected one gates, plan, events and the agent's output. Pure.
import { toDurationText } from '#kernel/units.ts'
import type { GateResult, LoopSummary, Pass } from '../../spool/api.ts'
import { shortSha, toTokensText } from '../event-text.ts'
import { toSign } from '../signs.ts'
import { toGauges, toMoneyText, toSpanText } from './amounts.ts'
import { type Glyphs, signSpan } from './glyphs.ts'
import { type Line, padLine, type Span, span } from './line.ts'
import { barOf, toEventText } from './list-page.ts'
import { type Board, type Opened, selectedPass } from './state.ts'
import { msOf, toStrip } from './strip.ts'

type Shown = { board: Board; opened: Opened; loop: LoopSummary; glyphs: Glyphs }

export function loopPage(shown: Shown, height: number): Line[] {
  const { board, opened, glyphs } = shown
  const { cols } = board.size
  const pass = selectedPass(board)
  const strip = toStrip(opened.passes, { selected: pass?.pass, now: board.now }, cols - 2, glyphs)
  const head = [aboutLine(shown), gaugeLine(shown), ...strip.map(indented), passLine(pass, shown)]
  return [...head, ...panels(shown, pass, height - head.length)]
}

const indented = (line: Line): Line => [span(' '), ...line]

function aboutLine({ loop, glyphs }: Shown): Line {
  const { sign, word } = toSign(loop)
  const state = span(` ${word}`, ...signSpan(sign, glyphs).looks)
  const where = `${loop.repository.split('/').at(-1)}@${loop.ref}`
  const mark = loop.isRehearsal ? [span('  (rehearsal)', 'magenta')] : []
  const why = loop.reason === null ? [] : [span(`  ${loop.reason}`)]
  const about = span(`  ${where}  ${loop.agent} on ${loop.model}`, 'dim')
  return [span(' '), signSpan(sign, glyphs), state, ...why, about, ...mark]
}

const gaugeCells = 6

function gaugeLine({ board, loop, glyphs }: Shown): Line {
  const gauges = toGauges(loop, board.now).flatMap(({ name, used, text }) => [
    span(`${name} `, 'dim'),
    ...barOf(used, gaugeCells, glyphs),
    span(` ${text}  `),
  ])
  const isCounted = loop.caps.usd === undefined
  return [
    span(' '),
    ...gauges,
    ...(isCounted ? [span(`${toMoneyText(loop.costNanoUsd)} spent`)] : []),
  ]
}

function passLine(pass: Pass | undefined, { board, loop }: Shown): Line {
  if (!pass) return [span(loop.startedAt === null ? ' It has not begun.' : ' No pass yet.', 'dim')]
  const { changes, agentMs, gatesMs, usage, costNanoUsd, promised, reason, next, phase } = pass
  const parts = [
    pass.sha === null ? '' : shortSha(pass.sha),
    changes ? `${changes.files} files +${changes.additions} -${changes.deletions}` : '',
    agentMs === null ? toSpanText(msOf(pass, board.now)) : `agent ${toDurationText(agentMs)}`,
    gatesMs === null ? '' : `gates ${toDurationText(gatesMs)}`,
    toTokensText(usage),
    toMoneyText(costNanoUsd),
    promised ? 'promised' : '',
    phase === 'settled' ? (reason ?? next ?? '') : phase,
  ]
  return [span(` pass ${pass.pass}`, 'bold'), span(`  ${parts.filter(Boolean).join('  ')}`)]
}

type Panel = { title: string; lines: readonly Line[]; isTail?: boolean }

const wideFrom = 120 // From here on the output stands beside the rest.

function panels(shown: Shown, pass: Pass | undefined, height: number): Line[] {
  const { cols } = shown.board.size
  const facts = [gatePanel(pass, shown), planPanel(pass, shown), eventPanel(shown)]
  const output = outputPanel(shown, pass)
  if (cols < wideFrom) return stack([...facts, output], height, cols, shown.glyphs)
  const left = Math.floor(cols * 0.45)
  const right = cols - left - 1
  const rightLines = stack([output], height, right, shown.glyphs)
  return stack(facts, height, left, shown.glyphs).map((line, row) => [
    ...padLine(line, left + 1),
    ...(rightLines[row] ?? []),
  ])
}

/** Panels below each other. Each gets two lines first, then they grow in turn, as far as they have something to say. */
function stack(all: readonly Panel[], height: number, cols: number, glyphs: Glyphs): Line[] {
  const room = Math.floor(height / 2) // A title and a line are the least that says something.
  const shown = all.slice(-room)
  const heights = shown.map(() => 2)
  let left = height - 2 * shown.length
  for (let grew = true; grew && left > 0; ) {
    grew = false
    for (const [index, { lines }] of shown.entries()) {
      if (left === 0 || heights[index]! > lines.length) continue
      heights[index]! += 1
      left -= 1
      grew = true
    }
  }
  const drawn = shown.flatMap((panel, index) => draw(panel, heights[index]!, cols, glyphs))
  return [...drawn, ...Array.from({ length: height - drawn.length }, (): Line => [])]
}

function draw(
  { title, lines, isTail }: Panel,
  height: number,
  cols: number,
  glyphs: Glyphs,
): Line[] {
  const rule = glyphs.rule.repeat(Math.max(0, cols - title.length - 4))
  const head: Line = [span(` ${title} `, 'bold'), span(rule, 'grey')]
  const kept = isTail ? lines.slice(-(height - 1)) : lines.slice(0, height - 1)
  const blanks = Array.from({ length: height - 1 - kept.length }, (): Line => [])
  return [head, ...kept.map((line) => padLine(indented(line), cols - 1)), ...blanks]
}

function gatePanel(pass: Pass | undefined, { glyphs }: Shown): Panel {
  const lines = pass?.gates.map((gate) => gateLine(gate, glyphs)) ?? []
  return { title: 'Gates', lines: lines.length > 0 ? lines : [[span('not run yet', 'dim')]] }
}

function gateLine({ name, exit, ms, timedOut, output }: GateResult, glyphs: Glyphs): Line {
  const isGreen = exit === 0 && !timedOut
  const look = isGreen ? 'green' : 'red'
  const end = timedOut ? 'out of time' : isGreen ? '' : `exit ${exit}`
  const said = isGreen ? '' : lastWords(output)
  return [
    span(`${isGreen ? glyphs.tick : glyphs.cross} ${name}`, look),
    span(`  ${toDurationText(ms)}${end === '' ? '' : `  ${end}`}`),
    span(said === '' ? '' : `  ${said}`, 'dim'),
  ]
}

const lastWords = (output: string) => output.trimEnd().split('\n').at(-1)?.trim() ?? ''

function planPanel(pass: Pass | undefined, { glyphs, loop }: Shown): Panel {
  const items = pass?.plan ?? []
  const done = items.filter(({ isDone }) => isDone).length
  // What is open comes first: it is what a person asks for where not all fit.
  const lines = [
    ...items.filter(({ isDone }) => !isDone),
    ...items.filter(({ isDone }) => isDone),
  ].map(({ text, isDone }): Line => {
    const box: Span = isDone ? span(`${glyphs.boxDone} `, 'green') : span(`${glyphs.boxOpen} `)
    return [box, isDone ? span(text, 'dim') : span(text)]
  })
  const none = loop.openItems === null ? 'none' : `${loop.openItems} open`
  return {
    title: items.length === 0 ? 'Plan' : `Plan ${done}/${items.length}`,
    lines: lines.length > 0 ? lines : [[span(none, 'dim')]],
  }
}

function eventPanel({ opened }: Shown): Panel {
  const lines = opened.events.map(
    (event): Line => [span(`${event.at.slice(11, 19)}  `, 'dim'), span(toEventText(event))],
  )
  const none: Line = [span('nothing since this view was opened', 'dim')]
  return { title: 'Events', lines: lines.length > 0 ? lines : [none], isTail: true }
}

function outputPanel({ opened }: Shown, pass: Pass | undefined): Panel {
  const { output, back } = opened
  const lines = output.slice(0, output.length - back).map((line): Line => [span(line)])
  const where = back === 0 ? '' : `, ${back} lines up`
  const title = pass ? `Output of pass ${pass.pass}${where}` : 'Output'
  return { title, lines: lines.length > 0 ? lines : [[span('nothing yet', 'dim')]], isTail: true }
}
