// What a key does. Pure: it answers the board afterwards, and what is to be done outside of it.
//
// | mode    | enters when                 | leaves when                                              |
// | ------- | --------------------------- | -------------------------------------------------------- |
// | list    | at the start; Esc in a loop | Enter opens a loop                                       |
// | loop    | Enter                       | Esc                                                      |
// | filter  | / in the list               | Enter keeps it, Esc takes the one before                 |
// | cancel  | c                           | y cancels the loop; any other key does not               |
// | help    | ?                           | any key                                                  |
import type { LoopSummary } from '../../spool/api.ts'
import type { Key } from './keys.ts'
import {
  type Board,
  type Effect,
  openedLoop,
  selectedLoop,
  selectedPass,
  shownLoops,
  toNotice,
  type Verb,
} from './state.ts'

export type Done = { board: Board; effects: readonly Effect[] }
const only = (board: Board, ...effects: Effect[]): Done => ({ board, effects })

const interruptedCode = 130 // As Ctrl-C ends any command.
const filterCharsMax = 200

export function press(board: Board, key: Key): Done {
  if (key.name === 'ctrl-c') return only(board, { kind: 'quit', code: interruptedCode })
  if (key.name === 'ctrl-l') return only(board, { kind: 'redraw' })
  if (board.prompt?.kind === 'filter') return only(typeFilter(board, key, board.prompt.before))
  if (board.prompt?.kind === 'help') return only({ ...board, prompt: null })
  if (board.prompt?.kind === 'cancel') return confirm(board, key, board.prompt.id)
  const action = actions[key.name]
  if (action) return action(board)
  return only(board.opened ? moveInLoop(board, key.name) : moveInList(board, key.name))
}

function typeFilter(board: Board, key: Key, before: string): Board {
  if (key.name === 'enter') return { ...board, prompt: null }
  if (key.name === 'escape') return { ...board, prompt: null, filter: before }
  if (key.name === 'backspace') return { ...board, filter: [...board.filter].slice(0, -1).join('') }
  if (key.name === 'ctrl-u') return { ...board, filter: '' }
  const text = 'text' in key ? key.text.split(/[\r\n]/)[0]! : key.name
  if (!('text' in key) && [...text].length !== 1) return board // `up`, `home`.
  return { ...board, filter: (board.filter + text).slice(0, filterCharsMax) }
}

function confirm(board: Board, key: Key, id: string): Done {
  const closed = { ...board, prompt: null }
  const loop = board.loops.find((each) => each.id === id)
  if (key.name !== 'y' || !loop) return only(closed)
  return only(closed, { kind: 'act', verb: 'cancel', loop })
}

const current = (board: Board) => openedLoop(board) ?? selectedLoop(board)

type Action = (board: Board) => Done
const quit: Action = (board) => only(board, { kind: 'quit', code: 0 })
const goBack: Action = (board) => {
  if (board.opened) return only({ ...board, opened: null })
  return only({ ...board, filter: '' })
}
const open: Action = (board) => {
  const loop = board.opened ? undefined : selectedLoop(board)
  return only(loop ? { ...board, selected: loop.id, opened: toOpened(loop) } : board)
}

const actions: Readonly<Record<string, Action>> = {
  q: quit,
  '?': (board) => only({ ...board, prompt: { kind: 'help' } }),
  '/': (board) =>
    only(board.opened ? board : { ...board, prompt: { kind: 'filter', before: board.filter } }),
  escape: goBack,
  backspace: goBack,
  enter: open,
  c: (board) =>
    withLoop(board, 'ended', (loop) =>
      only({ ...board, prompt: { kind: 'cancel', id: loop.id, name: loop.name } }),
    ),
  p: (board) =>
    withLoop(board, 'ended', (loop) => {
      const verb: Verb = loop.isHeld ? 'resume' : 'pause'
      return only(board, { kind: 'act', verb, loop })
    }),
  r: (board) =>
    withLoop(board, 'not ended', (loop) => only(board, { kind: 'act', verb: 'retry', loop })),
  a: (board) => withLoop(board, 'ended', ({ id }) => only(board, { kind: 'attach', id })),
}

/** Does it to the loop in view, or says why that can't be. */
function withLoop(board: Board, refused: 'ended' | 'not ended', act: (loop: LoopSummary) => Done) {
  const loop = current(board)
  if (!loop) return only(board)
  const isEnded = loop.state === 'ended'
  if (isEnded !== (refused === 'ended')) return act(loop)
  const why = isEnded ? 'has ended; r runs it again' : 'still runs; c ends it'
  return only(toNotice(board, `${loop.name} ${why}.`, false))
}

export const toOpened = ({ id }: LoopSummary): NonNullable<Board['opened']> => ({
  id,
  passes: [],
  events: [],
  output: [],
  pass: null,
  back: 0,
})

const pageRows = (board: Board) => Math.max(1, board.size.rows - 5)

function moveInList(board: Board, key: string): Board {
  const shown = shownLoops(board)
  const at = shown.findIndex(({ id }) => id === selectedLoop(board)?.id)
  const page = pageRows(board)
  const to: Readonly<Record<string, number>> = {
    ...{ j: at + 1, down: at + 1, k: at - 1, up: at - 1, home: 0, g: 0 },
    ...{ end: shown.length - 1, G: shown.length - 1 },
    ...{ 'page-down': at + page, ' ': at + page, 'page-up': at - page },
  }
  const target = to[key]
  if (target === undefined || shown.length === 0) return board
  return { ...board, selected: shown[clamp(target, 0, shown.length - 1)]!.id }
}

function moveInLoop(board: Board, key: string): Board {
  const opened = board.opened!
  const page = pageRows(board)
  const steps: Readonly<Record<string, number>> = {
    ...{ j: -1, down: -1, k: 1, up: 1, 'page-down': -page, ' ': -page, 'page-up': page },
    ...{ end: -opened.output.length, G: -opened.output.length },
    ...{ home: opened.output.length, g: opened.output.length },
  }
  if (key in steps) {
    const back = clamp(opened.back + steps[key]!, 0, Math.max(0, opened.output.length - 1))
    return { ...board, opened: { ...opened, back } }
  }
  if (key === 'left' || key === 'h') return selectPass(board, -1)
  if (key === 'right' || key === 'l') return selectPass(board, 1)
  return board
}

function selectPass(board: Board, step: number): Board {
  const opened = board.opened!
  const at = opened.passes.findIndex(({ pass }) => pass === selectedPass(board)?.pass)
  const to = clamp(at + step, 0, opened.passes.length - 1)
  const pass = opened.passes[to]
  if (!pass || to === at) return board
  const isNewest = to === opened.passes.length - 1
  return {
    ...board,
    opened: { ...opened, pass: isNewest ? null : pass.pass, output: [], back: 0 },
  }
}

const clamp = (value: number, min: number, max: number) => Math.max(min, Math.min(max, value))
