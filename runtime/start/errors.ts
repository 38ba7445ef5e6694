// What a person can mend is told as a sentence of its own; anything else comes with its stack.
import type { Config } from './config.ts'

/** A wrong flag or configuration: exit code 2. */
export class UsageError extends Error {}

/** The command is right, and this machine does not allow it now: exit code 1. */
export class StartRefused extends Error {}

type Ports = { auth: Pick<Config['auth'], 'port'>; proxy: Pick<Config['proxy'], 'port'> }

/** A port that could not be had is named, with the flag that chooses another; any other error stays as it is. */
export function explainPort(error: unknown, { auth, proxy }: Ports): unknown {
  const { code, syscall, port } = error as NodeJS.ErrnoException & { port?: number }
  if (syscall !== 'listen' || !port) return error
  const flag = port === auth.port ? '--port' : port === proxy.port ? '--proxy-port' : undefined
  const why = { EADDRINUSE: 'is in use', EACCES: 'is not allowed to this user' }[code ?? '']
  if (!flag || !why) return error
  const message = `Port ${port} ${why} on 127.0.0.1. Choose another with ${flag}=N, or a free one with ${flag}=0.`
  return new StartRefused(message, { cause: error })
}

export function toMessage(error: unknown): string {
  if (error instanceof UsageError || error instanceof StartRefused) return error.message
  return `Treadle could not start: ${(error as Error)?.stack ?? error}`
}

export const toExitCode = (error: unknown) => (error instanceof UsageError ? 2 : 1)
