// Git without anybody's configuration: no user's, no system's, and never the agent's own.
import { fault, type PodCode } from './errors.ts'
import { type Ran, run } from './run.ts'

const timeMsMax = 300_000 // One command on the largest bundle and a slow disk; a command is milliseconds mostly.
const outputBytesMax = 16 * 1024 ** 2 // Names of the files that one pass changed: 200,000 long ones.

export type Git = {
  cwd: string
  env: Readonly<Record<string, string>>
  gitDir?: string
  workTree?: string
  signal: AbortSignal
}
type Call = { input?: string; descriptor?: number; onFailure?: PodCode }

// Whatever lets a repository or its attributes name a program, or a file outside of it.
const settings = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.untrackedCache=false',
  'core.attributesFile=/dev/null',
  'core.excludesFile=/dev/null',
  'core.autocrlf=false',
  'gc.auto=0',
  'maintenance.auto=false',
  'protocol.allow=never',
].flatMap((setting) => ['-c', setting])

const author = { NAME: 'Treadle', EMAIL: 'treadle@localhost' }

const cleanEnv = {
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_SYSTEM: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_ATTR_NOSYSTEM: '1',
  GIT_TERMINAL_PROMPT: '0',
  GIT_OPTIONAL_LOCKS: '0',
  HOME: '/nonexistent', // Nothing under a home may speak: not config, not attributes, not ignores.
  LC_ALL: 'C', // Its warnings are read below.
  GIT_AUTHOR_NAME: author.NAME,
  GIT_AUTHOR_EMAIL: author.EMAIL,
  GIT_COMMITTER_NAME: author.NAME,
  GIT_COMMITTER_EMAIL: author.EMAIL,
}

/** Runs git; a failure is a Fault with git's own last words. */
export async function git(at: Git, args: readonly string[], call: Call = {}): Promise<Ran> {
  const { onFailure = 'pod/git-failed', ...given } = call
  const ran = await run({
    argv: ['git', ...settings, ...args],
    cwd: at.cwd,
    env: {
      ...at.env,
      ...cleanEnv,
      ...(at.gitDir && { GIT_DIR: at.gitDir }),
      ...(at.workTree && { GIT_WORK_TREE: at.workTree }),
    },
    timeoutMs: timeMsMax,
    outputs: 'apart',
    outputBytesMax,
    signal: at.signal,
    ...given,
  })
  if (ran.outputBytes > outputBytesMax) {
    throw fault('pod/too-large', { say: `Git named over ${outputBytesMax} bytes of files.` })
  }
  if (ran.exit === 0) return ran
  const say = ran.timedOut ? `It took longer than ${timeMsMax} ms.` : lastLines(ran.errorOutput)
  throw fault(onFailure, { say })
}

const sayCharsMax = 500
const lastLines = (output: Buffer) => output.toString().trim().slice(-sayCharsMax)

export const toLine = (ran: Ran) => ran.output.toString().trim()
export const toNames = (ran: Ran) => ran.output.toString().split('\0').filter(Boolean)

/** The objects of a bundle into a repository; its refs are left out. */
export const unbundle = (at: Git, descriptor: number) =>
  // By descriptor: the file has no name any more. The path opens it anew, so from its start.
  git(at, ['bundle', 'unbundle', '/proc/self/fd/3'], {
    descriptor,
    onFailure: 'pod/bundle-refused',
  })
