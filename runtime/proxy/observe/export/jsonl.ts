// Calls that ended, as a line of JSON each, in a file a day (UTC, by when they ended).
// **Exactly once.** What is written is written down together with the length that the file then has. After a crash the
// file is cut to that length and the ledger read from that place on: so no line is missing and none stands there twice.
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Logger } from '#kernel/log.ts'
import type { ExportedCall } from '../../api.ts'
import type { Ledger } from '../../ledger.ts'
import type { Position } from '../../segments.ts'
import { readCursor, writeCursor } from './cursor.ts'
import { type Follower, followLedger, type Piece } from './follow-ledger.ts'

type Options = {
  ledger: Ledger
  log: Logger
  /** Of the role: what it remembers stands there. */
  stateFolder: string
  folder: string
  /** Of its files' names: two processes never write to one. */
  suffix: string
  keepDays: number
  backlogBytesMax: number
  now: () => Date
}
/** The lengths of the files that the last piece went to, before it did. */
type Cursor = { at: Position; sizes: Record<string, number> }

const callsMax = 1_000
const everyMs = 500
const dayMs = 86_400_000
const filePattern = /^calls-(\d{4}-\d\d-\d\d)(?:-worker-\d+)?\.jsonl$/

export function startJsonl(options: Options): Follower {
  const { ledger, log, stateFolder, folder, suffix, keepDays, backlogBytesMax, now } = options
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const cursorFile = join(stateFolder, 'export-jsonl.json')
  const cursor = readCursor<Cursor>(cursorFile)
  if (cursor) cutBack(folder, cursor.sizes)
  let sizes = cursor?.sizes ?? {}
  let sweptDay = ''
  const remember = (at: Position, next: Cursor['sizes']) => {
    const kept = Object.fromEntries(Object.entries(next).sort().slice(-keptSizes))
    writeCursor(cursorFile, { at, sizes: kept } satisfies Cursor)
    sizes = kept
  }

  const take = async ({ calls, from, next }: Piece) => {
    const texts = byDay(calls, suffix)
    const isNew = [...texts.keys()].some((name) => sizes[name] === undefined)
    // Its length before anything is added: else a crash would leave what nobody cuts away again.
    if (isNew) remember(from, { ...sizesOf(folder, texts.keys()), ...sizes })
    const grown = { ...sizes }
    for (const [name, text] of texts) grown[name] = append(join(folder, name), sizes[name]!, text)
    remember(next, grown)
    const day = now().toISOString().slice(0, 10)
    if (day !== sweptDay) sweep(folder, new Date(now().getTime() - keepDays * dayMs))
    sweptDay = day
  }
  const begin = (at: Position) => remember(at, {})
  const from = cursor?.at
  return followLedger({ ledger, log, from, backlogBytesMax, callsMax, everyMs, begin, take })
}

const sizesOf = (folder: string, names: Iterable<string>) =>
  Object.fromEntries([...names].map((name) => [name, sizeOf(join(folder, name))]))
const sizeOf = (path: string) => (existsSync(path) ? statSync(path).size : 0)

// A piece may hold the end of one day and the beginning of the next; more than that needs a clock that jumps.
const keptSizes = 8

function byDay(calls: readonly ExportedCall[], suffix: string): Map<string, string> {
  const texts = new Map<string, string>()
  for (const call of calls) {
    const name = `calls-${call.endedAt.slice(0, 10)}${suffix}.jsonl`
    texts.set(name, `${texts.get(name) ?? ''}${JSON.stringify(call)}\n`)
  }
  return texts
}

/** Behind what was written down, over whatever a try that failed left there. Answers the new length. */
function append(path: string, from: number, text: string): number {
  const file = openSync(path, existsSync(path) ? 'r+' : 'w', 0o600)
  try {
    ftruncateSync(file, from)
    const bytes = Buffer.from(text)
    for (let done = 0; done < bytes.length; )
      done += writeSync(file, bytes, done, bytes.length - done, from + done)
    fdatasyncSync(file)
    return from + bytes.length
  } finally {
    closeSync(file)
  }
}

function cutBack(folder: string, sizes: Cursor['sizes']): void {
  for (const [name, size] of Object.entries(sizes)) {
    const path = join(folder, name)
    if (!existsSync(path) || statSync(path).size <= size) continue
    const file = openSync(path, 'r+')
    try {
      ftruncateSync(file, size)
    } finally {
      closeSync(file)
    }
  }
}

function sweep(folder: string, before: Date): void {
  const first = before.toISOString().slice(0, 10)
  for (const name of readdirSync(folder)) {
    const day = filePattern.exec(name)?.[1]
    if (day !== undefined && day < first) unlinkSync(join(folder, name))
  }
}
