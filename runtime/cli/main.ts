// Where the command begins: the only file of it that reads the environment and the process.
import { homedir } from 'node:os'
import { runProgram } from './program.ts'
import { defaultStateFolder } from './state-folder.ts'
import { findTerminal } from './terminal.ts'

const exitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const // 128 and the signal's number.

const stop = new AbortController()
for (const [signal, code] of Object.entries(exitCodes)) process.on(signal, () => stop.abort(code))
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0) // The reader, such as `head`, has seen enough.
  if (error.code === 'EIO') process.exit(exitCodes.SIGHUP) // The terminal is gone.
  throw error
})

process.exitCode = await runProgram(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  terminal: findTerminal(process.env, process.stdout.isTTY === true),
  stateFolder: defaultStateFolder({
    isRoot: process.getuid?.() === 0,
    xdgStateHome: process.env.XDG_STATE_HOME,
    home: homedir(),
  }),
  interrupted: stop.signal,
})
