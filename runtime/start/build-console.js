// Builds the console, when what lies in its `dist` was made from other sources. Plain JavaScript: it is a step of
// install.js, run on Node 26, and `node runtime/start/build-console.js` by hand. Progress goes to stderr.
import { spawnSync } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, extname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'

const stampName = '.stamp.json'
const draftPrefix = '.dist-'
const notSources = ['node_modules', 'dist']

/**
 * Whole or not at all: it is built beside `dist` and then takes its name. Of starts at the same time each builds, and
 * one wins. Answers whether a build was needed.
 */
export async function buildConsole(repository, say) {
  const folder = join(repository, 'runtime/console')
  const dist = join(folder, 'dist')
  const hash = hashSources(repository, folder)
  if (isBuilt(dist, hash)) return false
  const startedAt = Date.now()
  say('Building the console ...')
  sweepDrafts(folder)
  const draft = join(folder, `${draftPrefix}${randomUUID()}`)
  try {
    runVite(folder, draft)
    const bytes = await precompress(draft)
    writeFileSync(join(draft, stampName), JSON.stringify({ hash }))
    putInPlace(draft, dist, hash)
    const seconds = ((Date.now() - startedAt) / 1_000).toFixed(1)
    say(`Built the console in ${seconds} s (${Math.round(bytes / 1_000)} kB over the wire).`)
    return true
  } catch (error) {
    // What was built from other sources must not pass for these.
    if (!isBuilt(dist, hash)) rmSync(dist, { recursive: true, force: true })
    throw error
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

/** Everything that a build depends on: sources, versions of packages, this script, and Node itself. */
function hashSources(repository, folder) {
  const hash = createHash('sha256').update(process.version)
  const files = [
    join(repository, 'package-lock.json'),
    fileURLToPath(import.meta.url),
    ...filesBelow(folder).filter((path) => !/\.test\.ts$|\.md$/.test(path)),
  ]
  for (const path of files) {
    const content = readFileSync(path)
    hash.update(`\0${path.slice(repository.length)}\0${content.length}\0`).update(content)
  }
  return hash.digest('hex')
}

function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !notSources.includes(name) && !name.startsWith(draftPrefix))
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name)
      return entry.isDirectory() ? filesBelow(path) : entry.isFile() ? [path] : []
    })
}

function isBuilt(dist, hash) {
  try {
    return JSON.parse(readFileSync(join(dist, stampName), 'utf8')).hash === hash
  } catch {
    return false // None, or one made by hand.
  }
}

/** What a build that was killed left behind; a build that still runs is younger. */
function sweepDrafts(folder) {
  const oldMs = Date.now() - 600_000
  for (const name of readdirSync(folder).filter((each) => each.startsWith(draftPrefix))) {
    const { mtimeMs } = statSync(join(folder, name), { throwIfNoEntry: false }) ?? {}
    if (mtimeMs < oldMs) rmSync(join(folder, name), { recursive: true, force: true })
  }
}

function runVite(folder, draft) {
  const manifest = createRequire(join(folder, 'package.json')).resolve('vite/package.json')
  const program = join(dirname(manifest), JSON.parse(readFileSync(manifest, 'utf8')).bin.vite)
  // The native loader writes no copy of the configuration beside it, which starts at the same time would share.
  const options = ['--configLoader', 'native', '--emptyOutDir', '--logLevel', 'error']
  const args = [program, 'build', '--outDir', draft, ...options]
  const { status, error } = spawnSync(process.execPath, args, {
    cwd: folder,
    env: { ...process.env, NODE_ENV: 'production' },
    stdio: ['ignore', 2, 2],
    timeout: 120_000,
  })
  if (status !== 0) throw new Error(`vite failed (${error?.message ?? status}).`)
  if (!existsSync(join(draft, 'index.html'))) throw new Error('vite wrote no index.html.')
}

const compressible = new Set(['.js', '.css', '.html', '.svg', '.json'])
const bytesMin = 1_000 // Below it the header of the answer is most of it.

/** A `.br` and a `.gz` beside each text, so that no request costs any time. Answers the bytes of the smallest forms. */
async function precompress(folder) {
  const sizes = filesBelow(folder).map(async (path) => {
    const content = readFileSync(path)
    if (!compressible.has(extname(path)) || content.length < bytesMin) return content.length
    const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } }
    const [brotli, zipped] = await Promise.all([
      promisify(brotliCompress)(content, quality),
      promisify(gzip)(content, { level: constants.Z_BEST_COMPRESSION }),
    ])
    writeFileSync(`${path}.br`, brotli)
    writeFileSync(`${path}.gz`, zipped)
    return brotli.length
  })
  return (await Promise.all(sizes)).reduce((sum, bytes) => sum + bytes, 0)
}

const triesMax = 10

/** A folder can't be renamed over a full one, so the old one steps aside first. Another start may do the same now. */
function putInPlace(draft, dist, hash) {
  for (let tried = 1; ; tried += 1) {
    if (isBuilt(dist, hash)) return
    const aside = `${draft}-old`
    try {
      if (existsSync(dist)) renameSync(dist, aside)
      renameSync(draft, dist)
      return
    } catch (error) {
      const isRace = ['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(error.code) && existsSync(draft)
      if (!isRace || tried === triesMax) throw error
    } finally {
      rmSync(aside, { recursive: true, force: true })
    }
  }
}

function say(text) {
  process.stderr.write(`${text}\n`)
}

if (import.meta.main) {
  const repository = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
  try {
    await buildConsole(repository, say)
  } catch (error) {
    say(
      `The console could not be built: ${error.message} Treadle starts without it by \`auth: {console: off}\`.`,
    )
    process.exitCode = 1
  }
}
