// The token of whoever can read the owner's file on this machine. It needs no database, so it works when that is down.
import { timingSafeEqual } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  linkSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { hashOf, newSecretText } from './secret-text.ts'

export const ownerTokenPrefix = 'trdo_'
const ownerToken = /^trdo_[A-Za-z0-9_-]{43}$/

/**
 * Reads the file, or writes it at the first start. Answers the check of a token.
 * **Security.** A file that others may read is refused: its token may be known to them.
 */
export function openOwnerToken(file: string): (given: string) => boolean {
  if (!existsSync(file)) writeOnce(file, `${ownerTokenPrefix}${newSecretText()}\n`)
  const token = readFileSync(file, 'utf8').trim()
  const remedy = 'Delete it, and the next start writes a new one.'
  if (!ownerToken.test(token)) throw new Error(`${file} holds no owner token. ${remedy}`)
  if ((statSync(file).mode & 0o077) !== 0) {
    throw new Error(`${file} can be read by others on this machine. ${remedy}`)
  }
  const expected = Buffer.from(hashOf(token))
  return (given) => timingSafeEqual(Buffer.from(hashOf(given)), expected)
}

/** Whole or not at all, and never over another's: of two starts at once, both read the one that won. */
function writeOnce(file: string, text: string): void {
  const draft = `${file}.${process.pid}`
  writeFileSync(draft, text, { mode: 0o600 })
  chmodSync(draft, 0o600) // A draft left by a crash keeps its mode; the option above is for new files.
  try {
    linkSync(draft, file)
  } catch (error) {
    if (!existsSync(file)) throw error
  } finally {
    rmSync(draft)
  }
}
