// Which paths the file tools may touch: what lies in the work folder, however the path is spelt or
// linked.
import { constants } from 'node:fs'
import { type FileHandle, lstat, open, realpath } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { ToolError } from './tool.ts'

const fileBytesMax = 8 * 1024 * 1024 // A source file; what is larger belongs to the shell's tools.

/**
 * The real path of something in the work folder, which need not exist yet.
 * **Limits.** A link made between this check and the use is followed: only the agent's own commands
 * could make one, and those may touch whatever the sandbox lets them.
 */
export async function resolveInside(root: string, path: string): Promise<string> {
  if (path.includes('\0')) throw new ToolError('A path holds no NUL.')
  const real = await realPathOf(resolve(root, path))
  const below = relative(await realpath(root), real)
  if (below === '..' || below.startsWith(`..${sep}`)) {
    throw new ToolError(`${path} lies outside the work folder.`)
  }
  return real
}

/** Follows every link of the part that exists, and keeps the rest as it is. */
async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    if (await isLink(path)) throw new ToolError('The path has a link to nowhere.')
    return join(await realPathOf(dirname(path)), basename(path))
  }
}

const isLink = async (path: string) =>
  (await lstat(path).catch(() => undefined))?.isSymbolicLink() === true // Absent is no link.

/** A file's text. Refuses no plain file, a large one, and no UTF-8: an edit would damage it. */
export async function readText(path: string): Promise<string> {
  // Non-blocking, because opening a FIFO would wait for its other end.
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  await assertPlain(file)
  const bytes = await file.readFile()
  if (bytes.includes(0)) throw new ToolError('It is a binary file.')
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new ToolError('It is no UTF-8 text.')
  }
}

async function assertPlain(file: FileHandle): Promise<void> {
  const stats = await file.stat()
  if (stats.isDirectory()) throw new ToolError('It is a folder.')
  if (!stats.isFile()) throw new ToolError('It is no plain file.')
  if (stats.size > fileBytesMax) {
    throw new ToolError(`It has ${stats.size} bytes; the limit is ${fileBytesMax}.`)
  }
}
