// Of the loop that is looked into: its passes, and the end of what the selected pass's agent wrote.
import type { LoopSummary, Pass } from '../../spool/api.ts'
import type { Client } from '../client.ts'
import { pathOf, segment } from '../command.ts'
import { toPlainLines } from './line.ts'
import { type Board, type Happening, openedLoop, selectedPass } from './state.ts'

const passesMax = 200 // The newest; `treadle loop show` has all.
const tailBytes = 32 * 1024 // More than the highest screen.

export type Detail = AsyncDisposable & {
  /** Reads what is not known yet; one read at a time. */
  look(board: Board): Promise<void>
  /** Nothing that is shown changes by itself any more. */
  isSettled(board: Board): boolean
}

type Options = { connect(): Promise<Client>; tell(what: Happening): void }

export function createDetail({ connect, tell }: Options): Detail {
  let client: Client | undefined
  let isReading = false
  let settled = '' // The loop whose passes are all known.
  let read = '' // The pass whose output is known.
  const close = async () => {
    await client?.[Symbol.asyncDispose]()
    client = undefined
  }
  const isSettled = (board: Board) => {
    const loop = openedLoop(board)
    return !loop || (settled === loop.id && read === keyOf(loop, selectedPass(board)))
  }
  const readAll = async (board: Board, loop: LoopSummary) => {
    client ??= await connect()
    const known = board.opened!.passes
    const passes = settled === loop.id ? [] : await readPasses(client, loop, known)
    tell({ kind: 'passes', id: loop.id, passes })
    if (loop.state === 'ended') settled = loop.id
    const newest = passes.at(-1) ?? known.at(-1)
    const pass = board.opened!.pass === null ? newest : selectedPass(board)
    if (read === keyOf(loop, pass)) return
    const lines = pass ? toPlainLines(await readOutput(client, loop, pass)) : []
    if (pass) tell({ kind: 'output', id: loop.id, pass: pass.pass, lines })
    read = pass?.phase === 'agent' ? '' : keyOf(loop, pass)
  }
  return {
    isSettled,
    async look(board) {
      const loop = openedLoop(board)
      if (!loop) settled = read = ''
      if (!loop || isReading || isSettled(board)) return
      isReading = true
      try {
        await readAll(board, loop)
      } catch {
        await close() // The head of the screen says that the connection is lost; this is asked again.
      } finally {
        isReading = false
      }
    },
    [Symbol.asyncDispose]: close,
  }
}

const keyOf = ({ id }: LoopSummary, pass: Pass | undefined) => `${id} ${pass?.pass} ${pass?.phase}`

async function readPasses(client: Client, { id, passes }: LoopSummary, known: readonly Pass[]) {
  const settled = known.filter(({ phase }) => phase === 'settled').at(-1)?.pass ?? 0
  const after = Math.max(settled, passes - passesMax, 0)
  const path = pathOf(`/api/loops/${segment(id)}/passes`, { after, limit: passesMax })
  return await client.json<Pass[]>(path)
}

async function readOutput(client: Client, { id }: LoopSummary, { pass, phase, sandbox }: Pass) {
  const isLive = phase === 'agent' && sandbox !== null
  const path = isLive
    ? pathOf(`/api/sandboxes/${segment(sandbox)}/agent/output`, { tail: tailBytes })
    : pathOf(`/api/loops/${segment(id)}/output`, { pass })
  return (await client.bytes(path)).subarray(-tailBytes).toString()
}
