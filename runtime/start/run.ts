import { createLog } from '#kernel/log.ts'
import { type Appliance, startAppliance } from './appliance.ts'
import { toExitCode, toMessage } from './errors.ts'
import { showFirstStart } from './first-start.ts'
import type { Options } from './options.ts'
import { createJsonReport, createTextReport, type Report } from './report.ts'
import { stopAsked } from './stop.ts'
import { createOwnerClient, startWatching } from './watch.ts'

// Promised to whoever stops us, beside answers that may go on longer; what is open then goes on at the next start.
const drainMsMax = 10_000

/** The whole life of the process. Answers its exit code. */
export async function runUntilStopped(options: Options): Promise<number> {
  const startedAt = performance.now()
  const stop = stopAsked()
  const write = (line: string) => void process.stdout.write(`${line}\n`)
  const report = options.json ? createJsonReport(write) : createTextReport(write)
  try {
    const appliance = await startAppliance(options)
    await using running = new AsyncDisposableStack()
    running.use(appliance)
    await announce(appliance, report, performance.now() - startedAt)
    const isWhole = appliance.url !== null && appliance.missing.length === 0
    if (isWhole) running.use(watch(appliance, report))
    const stopping = new AbortController()
    const demo =
      options.demo && isWhole ? showFirstStart(appliance, report, stopping.signal) : undefined
    const why = await Promise.race([stop, failed(demo)])
    stopping.abort()
    report.say(`Stopping (${why}) ...`)
    const drainMs = drainMsMax + appliance.answersMsMax
    setTimeout(giveUp, drainMs, drainMs).unref()
  } catch (error) {
    process.stderr.write(`${toMessage(error)}\n`)
    return toExitCode(error)
  }
  report.say('Stopped. What was under way goes on at the next start.')
  return 0
}

// The demo's end is not the process's; its failure is.
const failed = (demo?: Promise<void>) => new Promise<never>((_, reject) => demo?.catch(reject))

function giveUp(ms: number): void {
  process.stderr.write(
    `Not drained in ${ms / 1_000} s; leaving. The next start picks up what is open.\n`,
  )
  process.exit(1)
}

async function announce(appliance: Appliance, report: Report, startMs: number): Promise<void> {
  const { url, proxyUrl, state, missing } = appliance
  const link = await appliance.createLoginLink()
  report.ready(
    { url, proxyUrl, signInLink: link?.url ?? null, state: state.path, missing },
    startMs,
  )
}

function watch({ url, state }: Appliance, report: Report): AsyncDisposable {
  const quiet = createLog('silent', process.stderr) // A broken stream is followed again: nobody needs a line.
  return startWatching(createOwnerClient(url!, state.path), report.seen, quiet)
}
