// The rehearsal model, a process of its own. Contract in README.md.
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { pino } from 'pino'
import { z } from 'zod'
import { listen } from '#kernel/http.ts'
import { createLog } from '#kernel/log.ts'
import { type Problem, parse, toText } from '#kernel/parse.ts'
import { Secret } from '#kernel/secret.ts'
import { openCallLog } from './call-log.ts'
import { createFaultSwitch, PlannedFault } from './planned-fault.ts'
import { rehearsalRoutes } from './routes.ts'

const usage = `Usage: node main.ts --key-file FILE --log FILE [--port N] [--fault JSON] [--delay-ms N]
       [--log-bodies] [--parent-watch]`

const Flags = z.strictObject({
  'key-file': z.string('Name the file that holds the key.'),
  log: z.string('Name the file that calls are logged to.'),
  port: z.coerce.number().int().min(0).max(65_535).default(0),
  fault: z.string().default('{}').transform(readJson).pipe(PlannedFault),
  'delay-ms': z.coerce.number().int().min(0).max(600_000).default(0),
  'log-bodies': z.boolean().default(false),
  'parent-watch': z.boolean().default(false),
})

function readJson(text: string, context: z.RefinementCtx): unknown {
  try {
    return JSON.parse(text)
  } catch {
    context.addIssue('Write JSON.')
    return z.NEVER
  }
}

function parseFlags(args: string[]) {
  const text = { type: 'string' } as const
  const yes = { type: 'boolean' } as const
  const options = {
    'key-file': text,
    log: text,
    port: text,
    fault: text,
    'delay-ms': text,
    'log-bodies': yes,
    'parent-watch': yes,
  }
  const parsed = parse(Flags, parseArgs({ args, options, strict: false }).values)
  return parsed.ok ? parsed.value : exitForUsage(parsed.problems)
}

function readKey(path: string): Secret {
  const key = readFileSync(path, 'utf8').trim()
  if (key === '') throw new Error(`${path} is empty.`)
  return new Secret(key)
}

/** For what is wrong with the files that the flags name. */
function orExit<T>(open: () => T): T {
  try {
    return open()
  } catch (error) {
    return exitForUsage([{ path: '(file)', message: (error as Error).message }])
  }
}

function exitForUsage(problems: readonly Problem[]): never {
  process.stderr.write(`${toText(problems)}\n${usage}\n`)
  process.exit(2)
}

const flags = parseFlags(process.argv.slice(2))
const owned = new AsyncDisposableStack()
const routes = rehearsalRoutes({
  key: orExit(() => readKey(flags['key-file'])),
  faults: createFaultSwitch(flags.fault),
  log: owned.use(orExit(() => openCallLog(flags.log))),
  now: () => new Date(),
  delayMs: flags['delay-ms'],
  logsBodies: flags['log-bodies'],
})
const log = createLog('warn', pino.destination(2))
const { url } = owned.use(await listen(routes, flags.port, log))

async function stop(): Promise<never> {
  await owned.disposeAsync()
  process.exit(0)
}
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, stop)
// Whoever started this holds the other end of stdin, and the kernel closes it however that one ends.
if (flags['parent-watch']) process.stdin.once('end', stop).resume()
process.stdout.write(`${JSON.stringify({ event: 'listening', url: url.origin })}\n`)
