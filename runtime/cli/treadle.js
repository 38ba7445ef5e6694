#!/usr/bin/env node
// The `treadle` command. Plain JavaScript, for it must run on Node 20 to find the Node 26 that the rest needs.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, statSync } from 'node:fs'
import modules from 'node:module'
import { constants, homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const node = join(here, `../../node_modules/node-linux-${process.arch}/bin/node`)
const nodeMajorMin = 26 // The first that strips types from every file here, without a flag.
// A shell that asks on Tab waits for nothing but the answer.
const main = process.argv[2] === '__complete' ? './complete/main.ts' : './main.ts'
// Without it, half of what a command costs is to make JavaScript of TypeScript, each time anew.
const compiled = findOwnFolder(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'))

if (Number(process.versions.node.split('.')[0]) >= nodeMajorMin) {
  if (compiled) modules.enableCompileCache(compiled)
  await import(main)
} else if (existsSync(node)) runWith(node)
else {
  process.stderr.write(
    `treadle: Node ${nodeMajorMin} is missing (${node}). Run npm start once: it installs it.\n`,
  )
  process.exitCode = 1
}

/** A folder that nobody else can put code into; undefined where there can be none, and then it goes without. */
function findOwnFolder(caches) {
  const folder = join(caches, 'treadle')
  try {
    // Never its parents: a home that is not there is not made.
    for (const path of [caches, folder]) if (!existsSync(path)) mkdirSync(path, { mode: 0o700 })
    const { uid, mode } = statSync(folder)
    return uid === process.getuid() && (mode & 0o022) === 0 ? folder : undefined
  } catch {
    return undefined // It is only a matter of time.
  }
}

/** Runs the command with another Node as if it were this process: same terminal, same signals, same exit. */
function runWith(program) {
  const child = spawn(program, [join(here, main), ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: compiled ? { ...process.env, NODE_COMPILE_CACHE: compiled } : process.env,
  })
  // A terminal sends Ctrl-C to both processes, so the child may get it twice; it acts on the first.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    process.stderr.write(`treadle: ${program} can't be started: ${error.message}\n`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    process.exitCode = signal ? 128 + constants.signals[signal] : (code ?? 1)
  })
}
