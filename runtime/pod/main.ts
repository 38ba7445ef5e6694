// The daemon of one sandbox. It runs beside the agent, under the same uid: weaver believes nothing it says.
import { activate, readFirstLine } from './activate.ts'
import type { Ready } from './api.ts'
import { fs } from './builtin.ts'
import { type Flags, parseFlags, usage } from './flags.ts'
import { createPod, type Pod } from './pod.ts'
import { prepareCommand } from './prepare.ts'
import { probe } from './probes.ts'
import { killEverything, visibleProcesses } from './processes.ts'
import { serve } from './serve.ts'

const flags = readFlags()
if (flags.mode === 'warm') void warmAndEnd(flags)
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

async function warmAndEnd({ options }: Flags): Promise<void> {
  const { warm } = await import('./warm.ts')
  await warm(options)
  process.exit(0) // It still listens.
}

function start({ socket, options, isActive }: Extract<Flags, { mode: 'serve' }>): void {
  // Only pid 1, perhaps a shell, and this process can be in a namespace of one's own by now.
  if (options.ownPidNamespace && visibleProcesses().length > 3) {
    exitForUsage('--own-pid-namespace is not so: other processes are here, and would be killed.')
  }
  const pod = createPod(options)
  const probes = probe({})
  const activated = isActive ? activateByFirstLine(pod) : null
  serve(pod, socket, async () => {
    sayReady({ probes, origin: await activated })
    // Later than `ready`, for the start. An end that came before is still seen.
    setImmediate(() => {
      void prepareCommand(options.pipe) // It is wanted in a moment, when weaver's caller knows of the sandbox.
      endWithWeaver(pod)
    })
  })
}

function activateByFirstLine(pod: Pod): Promise<string | null> {
  const line = readFirstLine()
  if (line === null) process.exit(0)
  return activate(pod, JSON.parse(line))
}

function sayReady(ready: Ready): void {
  try {
    // The stream that Node has for it would cost 4 ms.
    fs.writeSync(1, `ready ${JSON.stringify(ready)}\n`)
  } catch {
    // Weaver doesn't listen: then it asks the socket.
  }
}

/** Standard input is a pipe from weaver: its end is weaver's end. */
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
