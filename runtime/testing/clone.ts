// A fresh clone of this repository with its run-time packages, as a user has it after the first `npm start`.
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { linkTree } from '#kernel/link-tree.ts'

const repository = fileURLToPath(new URL('../../', import.meta.url))
const notCloned = /(^|\/)(node_modules|\.git|\.dist-[^/]+)$/

export type Clone = Disposable & {
  /** A home that no other user can enter; the clone lies below it. */
  home: string
  folder: string
}

/** With an owner, all of it is that user's, but for the packages' files: those are links to ours. */
export function createClone(owner?: number): Clone {
  const home = mkdtempSync(join(tmpdir(), 'home-')) // Its mode is 0700.
  const folder = join(home, 'treadle')
  mkdirSync(folder)
  for (const name of readdirSync(repository).filter((each) => !notCloned.test(each)))
    cpSync(join(repository, name), join(folder, name), {
      recursive: true,
      filter: (path) => !notCloned.test(path),
    })
  linkPackages(folder)
  if (owner !== undefined) chownFolders(home, owner)
  return {
    home,
    folder,
    [Symbol.dispose]: () => rmSync(home, { recursive: true, force: true }),
  }
}

type Locked = { packages: Record<string, { dev?: boolean }> }

function linkPackages(folder: string): void {
  const lockText = readFileSync(join(repository, 'package-lock.json'))
  const { packages } = JSON.parse(lockText.toString()) as Locked
  const wanted = Object.entries(packages).filter(
    ([place, { dev }]) => /^(runtime\/[^/]+\/)?node_modules\/(@[^/]+\/)?[^/]+$/.test(place) && !dev,
  )
  for (const [place] of wanted) {
    if (!existsSync(join(repository, place))) continue // For another kind of machine.
    mkdirSync(join(folder, place, '..'), { recursive: true })
    linkTree(join(repository, place), join(folder, place))
  }
  mkdirSync(join(folder, 'node_modules/.bin'))
  symlinkSync(`../node-linux-${process.arch}/bin/node`, join(folder, 'node_modules/.bin/node'))
  const lock = createHash('sha256').update(lockText).digest('hex')
  writeFileSync(join(folder, 'node_modules/.treadle.json'), JSON.stringify({ lock, dev: false }))
}

function chownFolders(path: string, owner: number): void {
  const stat = lstatSync(path)
  if (stat.nlink > 1 && stat.isFile()) return // A link: its file has another owner elsewhere.
  lchownSync(path, owner, owner)
  if (!stat.isDirectory()) return
  for (const name of readdirSync(path)) chownFolders(join(path, name), owner)
}
