// Named pipes for sandboxes' first commands, made many at once and ahead of need: Node has no call
// for it, and a daemon that must start mkfifo(1) first answers its first command later.
import { execFile } from 'node:child_process'
import { lchownSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export type Pipes = {
  /** Puts one there when there is one. Without it the daemon makes its own. */
  give(path: string, uid: number | null): void
}

const stockMax = 32
const stockMin = 8 // From here on new ones are made: as many as sandboxes that start in a moment.

export function createPipes(folder: string): Pipes {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { mode: 0o700 })
  const stock: string[] = []
  let made = 0
  let isFilling = false

  const fill = async () => {
    const paths = Array.from({ length: stockMax - stock.length }, () => join(folder, `${++made}`))
    await run('mkfifo', ['-m', '600', '--', ...paths], { cwd: '/' })
    stock.push(...paths)
  }
  const refill = () => {
    if (isFilling) return
    isFilling = true
    fill()
      .catch(() => {}) // A system without mkfifo: the daemon says so when it needs one.
      .finally(() => {
        isFilling = false
      })
  }
  refill()
  return {
    give(path, uid) {
      const pipe = stock.pop()
      if (stock.length < stockMin) refill()
      if (pipe === undefined) return
      if (uid !== null) lchownSync(pipe, uid, uid)
      renameSync(pipe, path)
    },
  }
}
