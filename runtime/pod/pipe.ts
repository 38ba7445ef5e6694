import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fs, net, os } from './builtin.ts'

type Pipe = { from: import('node:net').Socket; to: number }

let ahead: Promise<Pipe | null> | null = null

/**
 * Makes the next command's pipe before anybody asks: the start of a program is what it costs. Or takes a `given` one,
 * that weaver made.
 */
export function makePipeAhead(given?: string): void {
  const made = given === undefined ? null : takeGiven(given)
  ahead ??= made ? Promise.resolve(made) : makePipe().catch(() => null) // Whoever wants one tries again, and hears why.
}

function takeGiven(path: string): Pipe | null {
  try {
    return openBoth(path)
  } catch {
    return null // It is not there.
  } finally {
    fs.rmSync(path, { force: true })
  }
}

/**
 * A pipe as a shell makes it, for a program's output. Node's own are sockets, which no program can open again:
 * `echo oops > /dev/stderr` would fail in here, and nowhere else. Whoever gets the writing end closes it.
 */
export async function openPipe(): Promise<Pipe> {
  const made = ahead
  ahead = null
  return (await made) ?? makePipe()
}

async function makePipe(): Promise<Pipe> {
  const folder = fs.mkdtempSync(join(os.tmpdir(), 'pod-'))
  try {
    const path = join(folder, 'pipe')
    await once(spawn('mkfifo', [path], { stdio: 'ignore' }), 'exit') // Node has no call for it.
    return openBoth(path)
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
}

function openBoth(path: string): Pipe {
  const from = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
  const to = fs.openSync(path, fs.constants.O_WRONLY) // Its reader is there, so it doesn't wait.
  return { from: new net.Socket({ fd: from, readable: true, writable: false }), to }
}
