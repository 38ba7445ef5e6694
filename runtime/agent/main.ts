// The built-in coding agent, headless: works on one prompt in a folder, then ends. Contract in
// README.md.
import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { Ending } from './machine.ts'
import { type Outcome, type RunOptions, run } from './run.ts'
import { createTerminal } from './terminal.ts'

const usage = `Usage: node main.ts --headless --model M --origin URL --prompt-file FILE
       [--turns-max N] [--work DIR]
The key is read from TREADLE_TOKEN.`

const exitCodes: Readonly<Record<Ending['ending'], number>> = {
  done: 0,
  failed: 1,
  turns: 3,
  stopped: 143, // As a shell tells SIGTERM.
}
const promptBytesMax = 1024 * 1024
const contextBytesMax = 600 * 1024 // About 200,000 tokens of code, most models' context.
const turnsMaxDefault = 200
const backoffMs = 1_000

class UsageError extends Error {}

function parseOptions(args: string[], token: string): Omit<RunOptions, 'signal'> {
  const { values } = parseFlags(args)
  if (!values.headless) throw new UsageError('Give --headless: there is no other mode yet.')
  if (token === '') throw new UsageError('TREADLE_TOKEN is empty.')
  const { model, origin, 'prompt-file': promptFile, 'turns-max': turnsText, work } = values
  if (!model || !origin || !promptFile) {
    throw new UsageError('--model, --origin and --prompt-file are needed.')
  }
  const turnsMax = Number(turnsText ?? turnsMaxDefault)
  if (!Number.isInteger(turnsMax) || turnsMax < 1) {
    throw new UsageError(`--turns-max ${turnsText}: write a whole number from 1.`)
  }
  const limits = { turnsMax, contextBytesMax }
  const root = parseFolder(work ?? '.')
  const prompt = readPrompt(promptFile)
  return { model, origin: parseOrigin(origin), token, prompt, root, limits, backoffMs }
}

function parseFlags(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        headless: { type: 'boolean' },
        model: { type: 'string' },
        origin: { type: 'string' },
        'prompt-file': { type: 'string' },
        'turns-max': { type: 'string' },
        work: { type: 'string' },
      },
    })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function parseOrigin(text: string): string {
  if (!URL.canParse(text) || !/^https?:/.test(text)) {
    throw new UsageError(`--origin ${text}: write an http or https URL.`)
  }
  return text.replace(/\/+$/, '')
}

function parseFolder(path: string): string {
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory()
  if (!isFolder) throw new UsageError(`--work ${path}: no such folder.`)
  return resolve(path)
}

function readPrompt(path: string): string {
  const size = statSync(path, { throwIfNoEntry: false })?.size
  if (size === undefined) throw new UsageError(`--prompt-file ${path}: no such file.`)
  if (size > promptBytesMax) throw new UsageError(`--prompt-file ${path}: over 1 MiB.`)
  const prompt = readFileSync(path, 'utf8')
  if (prompt.trim() === '') throw new UsageError(`--prompt-file ${path}: it is empty.`)
  return prompt
}

/** The token leaves the environment before anything else runs: commands get the rest of it. */
function takeToken(): string {
  const token = process.env.TREADLE_TOKEN ?? ''
  delete process.env.TREADLE_TOKEN
  return token
}

function untilSignalled(): AbortSignal {
  const stop = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(name, () => stop.abort(`${name} came.`))
  }
  return stop.signal
}

function toSummary({ ending, reason, turns, usage }: Outcome, ms: number): string {
  const { inputTokens, cachedTokens, outputTokens } = usage
  const tokens = `${inputTokens} tokens in (${cachedTokens} cached), ${outputTokens} out`
  return `${ending}: ${reason} (${turns} turns, ${tokens}, ${(ms / 1_000).toFixed(1)} s)`
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2), takeToken())
  const terminal = createTerminal(process.stdout)
  const startedAt = performance.now()
  const outcome = await run({ ...options, signal: untilSignalled() }, terminal)
  terminal.line(toSummary(outcome, performance.now() - startedAt))
  return exitCodes[outcome.ending]
}

try {
  process.exitCode = await main()
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  console.error(`${error.message}\n${usage}`)
  process.exitCode = 2
}
