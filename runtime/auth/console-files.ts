// The built console, read once at start and answered from memory: what is not in this map can't be asked for, however
// its path is written.
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'

type Coding = 'br' | 'gzip' | 'identity'
export type ConsoleFile = { type: string; bodies: Readonly<Partial<Record<Coding, Buffer>>> }
/** `files` by their path below the folder, such as `assets/main-x1.js`, without the page itself. */
export type ConsoleFiles = { index: ConsoleFile; files: ReadonlyMap<string, ConsoleFile> }

// A file of another kind is not served: no source map, no stamp, nothing that a browser would guess about.
const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml; charset=utf-8',
  '.woff2': 'font/woff2',
}

const filesMax = 1_000
const bytesMax = 32 * 1024 * 1024

/** Throws, with what to do, where the console was not built. */
export function readConsole(folder: string): ConsoleFiles {
  const left = { files: filesMax, bytes: bytesMax }
  const files = new Map<string, ConsoleFile>()
  for (const path of existsSync(folder) ? pathsBelow(folder, '') : []) {
    const type = types[extname(path)]
    if (type) files.set(path, { type, bodies: readBodies(join(folder, path), left) })
  }
  const index = files.get('index.html')
  if (!index) {
    throw new Error(`The console is not built: ${folder} holds no index.html.
Build it with \`npx --no-install node runtime/start/build-console.js\`, which tells what is wrong, or do without: a file for --config with \`auth: {console: off}\`.`)
  }
  files.delete('index.html')
  return { index, files }
}

/** Links are left out: they could lead anywhere. */
const pathsBelow = (folder: string, below: string): string[] =>
  readdirSync(join(folder, below), { withFileTypes: true }).flatMap((entry) => {
    const path = below ? `${below}/${entry.name}` : entry.name
    if (entry.isDirectory()) return pathsBelow(folder, path)
    return entry.isFile() ? [path] : []
  })

/** With what build-console.js made of it beside it. */
function readBodies(path: string, left: { files: number; bytes: number }): ConsoleFile['bodies'] {
  const read = (suffix: string) => {
    const stat = lstatSync(`${path}${suffix}`, { throwIfNoEntry: false })
    if (!stat?.isFile()) return undefined
    left.files -= 1
    left.bytes -= stat.size
    if (left.files < 0 || left.bytes < 0) {
      throw new Error(
        `The console is larger than ${filesMax} files or ${bytesMax} bytes: ${path} is over.`,
      )
    }
    return readFileSync(`${path}${suffix}`)
  }
  const [br, gzip] = [read('.br'), read('.gz')]
  return { identity: read('')!, ...(br && { br }), ...(gzip && { gzip }) }
}
