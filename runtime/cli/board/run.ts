// The board at work: keys and news go in, lines and deeds come out. Everything that decides is pure and elsewhere.
import { StringDecoder } from 'node:string_decoder'
import type { Loop } from '../../spool/api.ts'
import { type Context, segment } from '../command.ts'
import { loopAttach } from '../commands/loop-attach.ts'
import { toPrintable } from '../printable.ts'
import { press, toOpened } from './act.ts'
import { createDetail } from './detail.ts'
import { listLoops, runFeed } from './feed.ts'
import { toFrame } from './frame.ts'
import { glyphsOf } from './glyphs.ts'
import { toKeys } from './keys.ts'
import { toAnsi } from './line.ts'
import { createScreen } from './screen.ts'
import { type Board, type Effect, emptyBoard, type Happening, learn } from './state.ts'

const drawMs = 30 // What happens within it is drawn at once: 33 pictures a second at most.
const tickMs = 1_000
const escapeMs = 50 // What comes later than this after an Escape is another key, also over ssh.

/** Shows the board until the person leaves it, and answers the exit code. */
export async function runBoard(context: Context, given: readonly string[]): Promise<number> {
  const client = await context.connect()
  const { items, total } = await listLoops(client, given) // What is wrong is told before the screen is taken.
  const only = given.length > 0 ? items.map(({ id }) => id) : []
  const { promise: ended, resolve: end, reject: fail } = Promise.withResolvers<number>()
  const stopped = new AbortController()
  const onInterrupt = () => end(Number(context.interrupted.reason))
  context.interrupted.addEventListener('abort', onInterrupt)
  const board = createBoard(context, end)
  try {
    board.happen({ kind: 'list', items, total })
    if (only.length === 1 && items[0]) board.open(items[0])
    board.start()
    const { connect } = context
    runFeed({ connect, tell: board.happen, only, stopped: stopped.signal }).catch(fail)
    return await ended
  } finally {
    stopped.abort()
    context.interrupted.removeEventListener('abort', onInterrupt)
    board.stop()
  }
}

function createBoard(context: Context, end: (code: number) => void) {
  const { stdout, terminal, connect } = context
  const screen = createScreen(context)
  const glyphs = glyphsOf(terminal.isUnicode)
  let board: Board = emptyBoard(Date.now())
  let drawing: NodeJS.Timeout | undefined
  let ticking: NodeJS.Timeout | undefined
  let isOver = false

  const happen = (what: Happening) => {
    board = { ...board, now: Date.now() }
    if (what.kind === 'key') {
      const done = press(board, what.key)
      board = done.board
      for (const effect of done.effects) perform(effect)
      void detail.look(board)
    } else board = learn(board, what)
    drawSoon()
  }
  const detail = createDetail({ connect, tell: happen })
  const draw = () => {
    drawing = undefined
    const lines = toFrame(board, glyphs).map((line) => toAnsi(line, terminal.hasColours))
    if (!screen.draw(lines) && screen.isTaken()) drawSoon() // The terminal is slower than what happens.
    if (needsTick(board) || !detail.isSettled(board)) ticking ??= setTimeout(tick, tickMs)
  }
  const drawSoon = () => {
    if (!isOver) drawing ??= setTimeout(draw, drawMs)
  }
  const tick = () => {
    ticking = undefined
    void detail.look(board)
    happen({ kind: 'tick' })
  }
  const resize = () => {
    screen.forget()
    happen({ kind: 'size', ...screen.size() })
  }
  const keys = createKeyboard(context, happen)

  function perform(effect: Effect): void {
    if (effect.kind === 'quit') end(effect.code)
    else if (effect.kind === 'redraw') screen.forget()
    else if (effect.kind === 'attach') void attach(effect.id)
    else void act(context, effect).then(happen)
  }
  /** Hands the terminal over, and takes it back afterwards. */
  async function attach(id: string): Promise<void> {
    keys.stop()
    screen.leave()
    const said = await loopAttach.run(context, [id], {}).then(() => undefined, toSaid)
    if (isOver) return
    screen.take()
    keys.start()
    resize()
    if (said) happen(said)
  }

  return {
    happen,
    open(loop: Loop | Board['loops'][number]) {
      board = { ...board, opened: toOpened(loop), selected: loop.id }
    },
    start() {
      screen.take()
      keys.start()
      stdout.on('resize', resize)
      process.on('SIGCONT', resume)
      resize()
      void detail.look(board)
    },
    stop() {
      isOver = true
      clearTimeout(drawing)
      clearTimeout(ticking)
      stdout.off('resize', resize)
      process.off('SIGCONT', resume)
      keys.stop()
      context.stdin.pause() // Only now: who is handed the terminal expects it flowing.
      screen.leave()
      void detail[Symbol.asyncDispose]()
    },
  }

  /** After `kill -STOP` and `fg`, the shell has used the terminal in between. */
  function resume(): void {
    if (!screen.isTaken()) return
    screen.take()
    resize()
  }
}

/** Only what the clock changes is drawn by the clock: an idle board writes nothing. */
const needsTick = (board: Board) =>
  board.notice !== null ||
  board.link.state === 'lost' ||
  board.loops.some(({ state, startedAt }) => state !== 'ended' && startedAt !== null)

function createKeyboard({ stdin }: Context, happen: (what: Happening) => void) {
  const decoder = new StringDecoder('utf8')
  let pending = ''
  let waiting: NodeJS.Timeout | undefined
  const onData = (bytes: Buffer) => {
    clearTimeout(waiting)
    const { keys, rest } = toKeys(pending + decoder.write(bytes))
    pending = rest
    for (const key of keys) happen({ kind: 'key', key })
    if (rest !== '') waiting = setTimeout(giveUp, escapeMs)
  }
  const giveUp = () => {
    const wasEscape = pending === '\x1b'
    pending = ''
    if (wasEscape) happen({ kind: 'key', key: { name: 'escape' } })
  }
  return {
    start() {
      stdin.on('data', onData)
      stdin.resume()
    },
    stop() {
      clearTimeout(waiting)
      stdin.off('data', onData)
    },
  }
}

/** Whatever went wrong is told on the screen: the person goes on from there. */
const toSaid = (error: unknown): Happening => ({
  kind: 'said',
  text: toPrintable((error as Error).message),
  isGood: false,
})

async function act(
  { connect }: Context,
  { verb, loop }: Extract<Effect, { kind: 'act' }>,
): Promise<Happening> {
  try {
    await using client = await connect()
    const path = `/api/loops/${segment(loop.id)}/${verb}`
    const { id } = await client.json<Loop>(path, { method: 'POST' })
    const said = {
      cancel: 'ends.',
      pause: 'starts no pass until it is resumed.',
      resume: 'goes on.',
      retry: `runs again as ${id}.`,
    }
    return { kind: 'said', text: `${loop.name} ${said[verb]}`, isGood: true }
  } catch (error) {
    return toSaid(error)
  }
}
