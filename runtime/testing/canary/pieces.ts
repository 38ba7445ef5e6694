// What is searched: files, processes, databases and repositories as plain bytes, whatever holds them compressed.
import { spawnSync } from 'node:child_process'
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type pg from 'pg'

/** Bytes, and where they were found. */
export type Piece = { at: string; bytes: Buffer }

/** Every plain file below a folder. Links are not followed. */
export function* filesBelow(folder: string, skipped: ReadonlySet<string>): Generator<Piece> {
  for (const name of listing(folder)) {
    const path = join(folder, name)
    const stat = lstatSync(path, { throwIfNoEntry: false })
    if (skipped.has(name) || !stat) continue
    if (stat.isDirectory()) yield* filesBelow(path, skipped)
    else if (stat.isFile()) yield* pieceOf(path)
  }
}

const listing = (folder: string) => {
  try {
    return readdirSync(folder)
  } catch {
    return [] // Gone while we look.
  }
}

function* pieceOf(path: string): Generator<Piece> {
  try {
    yield { at: path, bytes: readFileSync(path) }
  } catch {
    // Gone while we look, or a process that has ended.
  }
}

export const allProcesses = () => listing('/proc').filter((name) => /^\d+$/.test(name))

/** Those in the same sandbox as one of them. */
export function processesBeside(id: number): string[] {
  const own = readlinkSync(`/proc/${id}/ns/pid`)
  return allProcesses().filter((other) => {
    try {
      return readlinkSync(`/proc/${other}/ns/pid`) === own
    } catch {
      return false
    }
  })
}

/** Arguments and environments. */
export function* processPieces(ids: readonly string[]): Generator<Piece> {
  for (const id of ids) {
    yield* pieceOf(`/proc/${id}/cmdline`)
    yield* pieceOf(`/proc/${id}/environ`)
  }
}

/** Every value of every table of one schema. */
export async function* rowsOf(db: pg.Client, schema: string): AsyncGenerator<Piece> {
  const tables = await db.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = $1`,
    [schema],
  )
  for (const { name } of tables.rows) {
    const { rows } = await db.query<Record<string, unknown>>(`select * from ${name}`)
    for (const row of rows)
      for (const [column, value] of Object.entries(row))
        yield { at: `${name}.${column}`, bytes: toBytes(value) }
  }
}

// JSON would hide a text's line breaks and quotes, not a secret's letters.
function toBytes(value: unknown): Buffer {
  if (Buffer.isBuffer(value)) return value
  return Buffer.from(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))
}

const objectsBytesMax = 256 * 1024 ** 2

/** Every object of a repository, unpacked. */
export function* objectsOf(repository: string): Generator<Piece> {
  const args = [
    '-c',
    'safe.directory=*',
    '-C',
    repository,
    'cat-file',
    '--batch-all-objects',
    '--batch',
  ]
  const { stdout, status } = spawnSync('git', args, { maxBuffer: objectsBytesMax })
  if (status === 0) yield { at: `${repository} (git)`, bytes: stdout }
}

/** Folders below that are repositories: bare ones by their HEAD and objects. */
export function repositoriesBelow(folder: string, depth = 6): string[] {
  const names = listing(folder)
  if (names.includes('HEAD') && names.includes('objects')) return [folder]
  if (depth === 0) return []
  return names
    .map((name) => join(folder, name))
    .filter((path) => lstatSync(path, { throwIfNoEntry: false })?.isDirectory())
    .flatMap((path) => repositoriesBelow(path, depth - 1))
}
