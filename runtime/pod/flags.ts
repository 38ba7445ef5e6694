import { parseArgs } from './builtin.ts'
import type { PodOptions } from './pod.ts'

export const usage = `Usage: node main.ts --socket PATH --work DIR --home DIR
                    [--line PATH] [--proxy-port N] [--own-pid-namespace]
       node main.ts --warm`

export type Flags = { mode: 'warm' } | { mode: 'serve'; socket: string; options: PodOptions }

/** Throws an Error whose message is for whoever wrote the flags. */
export function parseFlags(args: string[], env: NodeJS.ProcessEnv): Flags {
  const { values } = parseArgs({ args, options: known })
  if (values.warm) return { mode: 'warm' }
  const { socket, work, home, line, 'own-pid-namespace': ownPidNamespace = false } = values
  if (!socket || !work || !home) throw new Error('--socket, --work and --home are needed.')
  const proxyPort = parsePort(values['proxy-port'])
  const options = { line, work, home, proxyPort, ownPidNamespace, env: toChildEnv(env, home) }
  return { mode: 'serve', socket, options }
}

const known = {
  socket: { type: 'string' },
  line: { type: 'string' },
  work: { type: 'string' },
  home: { type: 'string' },
  'proxy-port': { type: 'string', default: '0' },
  'own-pid-namespace': { type: 'boolean' },
  warm: { type: 'boolean' },
} as const

function parsePort(text: string): number {
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= 65_535) return port
  throw new Error(`--proxy-port ${text} is no port: write 0 to 65535.`)
}

/** A closed list: whatever else the daemon was started with is not the agent's business. */
function toChildEnv(env: NodeJS.ProcessEnv, home: string): Record<string, string> {
  const handedOn = ['PATH', 'USER', 'LOGNAME', 'SHELL', 'LANG', 'TMPDIR', 'TZ'].flatMap((name) =>
    env[name] === undefined ? [] : [[name, env[name]] as const],
  )
  return { ...Object.fromEntries(handedOn), HOME: home }
}
