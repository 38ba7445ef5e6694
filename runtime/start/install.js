// Before `npm start` and `npm test`: installs what is missing, builds the console where that has changed, and does
// nothing when all is there. Plain JavaScript for Node 20, without packages: it runs before there are any. Progress
// goes to stderr, so that stdout stays the program's.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findNpm } from './find-npm.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
const stamp = join(root, 'node_modules/.treadle.json')
const wantsDev = process.argv.includes('--dev')
const lock = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex')
const omit = wantsDev ? [] : ['--omit=dev']
// Install scripts stay off: none is needed, and a package's script is the usual way in for a stolen one.
const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']

const node = join(root, 'node_modules/.bin/node')
if (!isInstalled()) {
  await run(
    process.execPath,
    ['ci', ...omit],
    wantsDev ? 'all packages' : 'the packages it runs on',
  )
  assertNodeRuns(node)
  // npm leaves out an optional package whose engine is newer than the Node it runs on: the pi agent asks for 22.
  // Node 26 has just come with the others, so npm runs again on that. Without pi all else works.
  if (!existsSync(join(root, 'node_modules/@earendil-works/pi-coding-agent'))) {
    await run(node, ['install', '--no-save', ...omit], 'the pi agent').catch((error) =>
      say(`${error.message} The demo then uses the built-in agent in its place.`),
    )
  }
  writeFileSync(stamp, JSON.stringify({ lock, dev: wantsDev }))
}
// Without a console all else works, where the configuration says so: whether it may be missing is said there.
spawnSync(node, [join(root, 'runtime/start/build-console.js')], { stdio: ['ignore', 2, 2] })

function isInstalled() {
  try {
    const found = JSON.parse(readFileSync(stamp, 'utf8'))
    return (
      found.lock === lock &&
      (found.dev || !wantsDev) &&
      existsSync(join(root, 'node_modules/.bin/node'))
    )
  } catch {
    return false // No stamp, or half of one: install again.
  }
}

async function run(node, args, what) {
  const startedAt = Date.now()
  const seconds = () => `${Math.round((Date.now() - startedAt) / 1_000)} s`
  say(`Installing ${what} ...`)
  const ticking = setInterval(() => say(`  still installing ${what} (${seconds()})`), 10_000)
  const { npm_execpath: npmExecPath, PATH: path } = process.env
  const npm = findNpm({ npmExecPath, nodePath: process.execPath, path })
  const child = spawn(node, [npm, ...args, ...flags], { cwd: root, stdio: ['ignore', 2, 2] })
  const code = await new Promise((resolve) => child.once('error', resolve).once('exit', resolve))
  clearInterval(ticking)
  if (code !== 0)
    throw new Error(`Installing ${what} failed (${code instanceof Error ? code.message : code}).`)
  say(`Installed ${what} in ${seconds()}.`)
}

/** The npm package holds the program alone; a bare system may lack a library that it loads. */
function assertNodeRuns(node) {
  const { status, stderr } = spawnSync(node, ['--version'], { encoding: 'utf8' })
  if (status === 0) return
  const isLibrary = /libatomic/.test(stderr ?? '')
  say(
    isLibrary
      ? 'Node 26 needs libatomic.so.1, which this system lacks. Install it, then start again:\n  apt-get install libatomic1      (Fedora: dnf install libatomic)'
      : `Node 26 does not run here: ${stderr}`,
  )
  process.exit(1)
}

function say(text) {
  process.stderr.write(`${text}\n`)
}
