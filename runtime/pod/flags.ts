import { parseArgs } from './builtin.ts'
import type { PodOptions } from './pod.ts'

export const usage = `Usage: node main.ts --socket PATH --work DIR --home DIR
                    [--line PATH] [--proxy-port N] [--own-pid-namespace] [--pipe PATH] [--active]
       node main.ts --warm`

export type Flags =
  | { mode: 'warm'; options: PodOptions }
  | { mode: 'serve'; socket: string; options: PodOptions; isActive: boolean }

/** Throws an Error whose message is for whoever wrote the flags. */
export function parseFlags(args: string[], env: NodeJS.ProcessEnv): Flags {
  const { values } = parseArgs({ args, options: known })
  const { socket, work, home, line, pipe, warm = false, active: isActive = false } = values
  if (warm) return { mode: 'warm', options: toWarmOptions(env) }
  const { 'own-pid-namespace': ownPidNamespace = false } = values
  if (!socket || !work || !home) throw new Error('--socket, --work and --home are needed.')
  const proxyPort = parsePort(values['proxy-port'])
  const options = { line, pipe, work, home, proxyPort, ownPidNamespace, env: toChildEnv(env, home) }
  return { mode: 'serve', socket, options, isActive }
}

const known = {
  socket: { type: 'string' },
  line: { type: 'string' },
  pipe: { type: 'string' },
  work: { type: 'string' },
  home: { type: 'string' },
  'proxy-port': { type: 'string', default: '0' },
  'own-pid-namespace': { type: 'boolean' },
  active: { type: 'boolean' },
  warm: { type: 'boolean' },
} as const

/** Nobody's sandbox: it has no line and no workspace, and ends before anybody knows of it. */
function toWarmOptions(env: NodeJS.ProcessEnv): PodOptions {
  const home = env.HOME ?? '/'
  const none = { line: undefined, pipe: undefined, proxyPort: 0, ownPidNamespace: false }
  return { ...none, work: '/', home, env: toChildEnv(env, home) }
}

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
