import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { failure } from '../errors.ts'

export type NewFile = { path: string; text: string }

/** Refuses while nothing is written yet. */
export function assertFree(paths: readonly string[], mode: 'keep' | 'overwrite'): void {
  const taken = mode === 'keep' ? paths.filter((path) => existsSync(path)) : []
  if (taken.length === 0) return
  const instead = 'Name another file, or overwrite it with --force.'
  throw failure('cli/file', `${taken.join(' and ')} is there already. ${instead}`)
}

export function assertThere(path: string): void {
  if (existsSync(path)) return
  const message = `${path}, the prompt's file, is not there. Write it first, or give --prompt as well.`
  throw failure('cli/file', message)
}

/** All of them, or none. */
export function writeAll(files: readonly NewFile[], mode: 'keep' | 'overwrite'): void {
  const written: string[] = []
  try {
    for (const { path, text } of files) {
      writeFileSync(path, text, { flag: mode === 'keep' ? 'wx' : 'w' })
      written.push(path)
    }
  } catch (error) {
    if (mode === 'keep') for (const path of written) rmSync(path, { force: true })
    throw failure('cli/file', `It can't be written: ${(error as Error).message}.`)
  }
}
