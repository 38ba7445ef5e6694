// The daemon of one sandbox. It runs beside the agent, under the same uid: weaver believes nothing it says.

import type { Probe } from '../weaver/api.ts'
import { fs } from './builtin.ts'
import { type Flags, parseFlags, usage } from './flags.ts'
import { createPod, type Pod } from './pod.ts'
import { probe } from './probes.ts'
import { killEverything, visibleProcesses } from './processes.ts'
import { serve } from './serve.ts'

const flags = readFlags()
if (flags.mode === 'warm') await warm()
else start(flags)

function readFlags(): Flags {
  try {
    return parseFlags(process.argv.slice(2), process.env)
  } catch (error) {
    return exitForUsage((error as Error).message)
  }
}

function exitForUsage(message: string): never {
  process.stderr.write(`${message}\n${usage}\n`)
  process.exit(2)
}

/** Loads what the routes load late, and ends: a compile cache (NODE_COMPILE_CACHE) then holds all of it. */
async function warm(): Promise<void> {
  const late = ['agent', 'checkout', 'exec', 'forwarder', 'requests', 'snapshot', 'terminal']
  await Promise.all(late.map((name) => import(`./${name}.ts`)))
}

function start({ socket, options }: Extract<Flags, { mode: 'serve' }>): void {
  // Only pid 1, perhaps a shell, and this process can be in a namespace of one's own by now.
  if (options.ownPidNamespace && visibleProcesses().length > 3) {
    exitForUsage('--own-pid-namespace is not so: other processes are here, and would be killed.')
  }
  const pod = createPod(options)
  const measured = probe({})
  serve(pod, socket, async () => {
    sayReady(await measured)
    endWithWeaver(pod) // Later than `ready`, for the start. An end that came before is still seen.
    // The first request comes in a moment: what it needs is loaded while weaver finds its way here.
    setImmediate(() => import('./requests.ts'))
  })
}

function sayReady(probes: readonly Probe[]): void {
  try {
    // The stream that Node has for it would cost 4 ms.
    fs.writeSync(1, `ready ${JSON.stringify(probes)}\n`)
  } catch {
    // Weaver doesn't listen: then it asks the socket.
  }
}

/** Standard input is a pipe from weaver that carries nothing: its end is weaver's end. */
function endWithWeaver(pod: Pod): void {
  const end = (exit: number) => {
    killEverything(pod)
    process.exit(exit)
  }
  process.stdin.on('end', () => end(0)).on('error', () => end(0))
  process.stdin.resume()
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => end(0))
  process.on('uncaughtException', (error) => {
    process.stderr.write(`${error.stack}\n`)
    end(1)
  })
}
