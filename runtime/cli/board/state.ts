// What the board knows, and what each thing that happens makes of it. Pure: no terminal, no network, no clock.
import type { LoopEvent, LoopSummary, Pass } from '../../spool/api.ts'
import type { Key } from './keys.ts'

export type Link = { state: 'connecting' | 'live' | 'lost'; why: string; since: number }

/** The loop that is looked into. */
export type Opened = {
  id: string
  passes: readonly Pass[]
  events: readonly LoopEvent[]
  output: readonly string[]
  /** Which pass; null = always the newest. */
  pass: number | null
  /** How many lines of the output below are not shown. */
  back: number
}

export type Prompt =
  | { kind: 'filter'; before: string }
  | { kind: 'cancel'; id: string; name: string }
  | { kind: 'help' }

export type Notice = { text: string; isGood: boolean; until: number }

export type Board = {
  now: number
  size: { cols: number; rows: number }
  link: Link
  database: 'up' | 'down'
  /** Newest first, as they are shown. */
  loops: readonly LoopSummary[]
  /** How many the server has. */
  total: number
  lastEvents: ReadonlyMap<string, LoopEvent>
  filter: string
  selected: string | null
  opened: Opened | null
  prompt: Prompt | null
  notice: Notice | null
}

export type Happening =
  | { kind: 'key'; key: Key }
  | { kind: 'size'; cols: number; rows: number }
  | { kind: 'tick' }
  | { kind: 'link'; state: Link['state']; why: string }
  | { kind: 'database'; state: 'up' | 'down' }
  | { kind: 'list'; items: readonly LoopSummary[]; total: number }
  | { kind: 'loop'; loop: LoopSummary }
  | { kind: 'event'; event: LoopEvent }
  | { kind: 'passes'; id: string; passes: readonly Pass[] }
  | { kind: 'output'; id: string; pass: number; lines: readonly string[] }
  | { kind: 'said'; text: string; isGood: boolean }

export type Verb = 'cancel' | 'pause' | 'resume' | 'retry'
export type Effect =
  | { kind: 'quit'; code: number }
  | { kind: 'act'; verb: Verb; loop: LoopSummary }
  | { kind: 'attach'; id: string }
  | { kind: 'redraw' }

export const emptyBoard = (now: number): Board => ({
  now,
  size: { cols: 80, rows: 24 },
  link: { state: 'connecting', why: '', since: now },
  database: 'up',
  loops: [],
  total: 0,
  lastEvents: new Map(),
  filter: '',
  selected: null,
  opened: null,
  prompt: null,
  notice: null,
})

export const loopsMax = 500 // What one page of a terminal's user can want; the list's filter finds older ones.
const eventsMax = 200 // Of the loop that is looked into.
const noticeMs = 6_000

/** Those that the filter lets through: its words are all in the name, the state, the repository, the model or the id. */
export function shownLoops({ loops, filter }: Board): readonly LoopSummary[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean)
  if (words.length === 0) return loops
  return loops.filter(({ id, name, state, ending, repository, agent, model }) => {
    const text = [id, name, state, ending, repository, agent, model].join(' ').toLowerCase()
    return words.every((word) => text.includes(word))
  })
}

export const selectedLoop = (board: Board): LoopSummary | undefined => {
  const shown = shownLoops(board)
  return shown.find(({ id }) => id === board.selected) ?? shown[0]
}

export const openedLoop = ({ loops, opened }: Board) =>
  opened ? loops.find(({ id }) => id === opened.id) : undefined

export function selectedPass({ opened }: Board): Pass | undefined {
  return opened?.passes.find(({ pass }) => pass === opened.pass) ?? opened?.passes.at(-1)
}

/** What is known changes; what the person does is keys.ts's and act.ts's. */
export function learn(board: Board, what: Exclude<Happening, { kind: 'key' }>): Board {
  switch (what.kind) {
    case 'size':
      return { ...board, size: { cols: what.cols, rows: what.rows } }
    case 'tick':
      return board.notice && board.notice.until <= board.now ? { ...board, notice: null } : board
    case 'link': {
      const { state, why } = what
      const since = board.link.state === state ? board.link.since : board.now
      return { ...board, link: { state, why, since } }
    }
    case 'database':
      return { ...board, database: what.state }
    case 'list':
      return { ...board, total: what.total, loops: newestFirst(what.items) }
    case 'loop':
      return learnLoop(board, what.loop)
    case 'event':
      return learnEvent(board, what.event)
    case 'passes':
      return inOpened(board, what.id, ({ passes }) => ({
        passes: what.passes.reduce(withPass, passes),
      }))
    case 'output':
      // Another pass may have been selected in the meantime.
      if (selectedPass(board)?.pass !== what.pass) return board
      return inOpened(board, what.id, () => ({ output: what.lines }))
    case 'said':
      return toNotice(board, what.text, what.isGood)
  }
}

export const toNotice = (board: Board, text: string, isGood: boolean): Board => ({
  ...board,
  notice: { text, isGood, until: board.now + noticeMs },
})

function inOpened(board: Board, id: string, change: (opened: Opened) => Partial<Opened>): Board {
  if (board.opened?.id !== id) return board
  return { ...board, opened: { ...board.opened, ...change(board.opened) } }
}

const newestFirst = (loops: readonly LoopSummary[]) =>
  [...loops]
    .sort((a, b) => b.createdAt.localeCompare(a.createdAt) || b.id.localeCompare(a.id))
    .slice(0, loopsMax)

function learnLoop(board: Board, loop: LoopSummary): Board {
  const isNew = !board.loops.some(({ id }) => id === loop.id)
  const loops = isNew
    ? newestFirst([loop, ...board.loops])
    : board.loops.map((old) => (old.id === loop.id ? loop : old))
  return { ...board, loops, total: board.total + (isNew ? 1 : 0) }
}

function learnEvent(board: Board, event: LoopEvent): Board {
  const lastEvents = new Map(board.lastEvents).set(event.loop, event)
  for (const id of lastEvents.keys()) if (lastEvents.size > loopsMax) lastEvents.delete(id)
  return inOpened({ ...board, lastEvents }, event.loop, ({ events, passes }) => {
    if (events.some(({ seq }) => seq === event.seq)) return {}
    return {
      events: [...events, event].slice(-eventsMax),
      ...(event.event === 'pass' && { passes: withPass(passes, event.pass) }),
    }
  })
}

const withPass = (passes: readonly Pass[], pass: Pass): Pass[] =>
  [...passes.filter((old) => old.pass !== pass.pass), pass].sort((a, b) => a.pass - b.pass)
