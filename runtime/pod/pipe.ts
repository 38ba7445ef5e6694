import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fs } from './builtin.ts'

/**
 * A pipe as a shell makes it, for a program's output. Node's own are sockets, which no program can open again:
 * `echo oops > /dev/stderr` would fail in here, and nowhere else. Whoever gets the writing end closes it.
 */
export async function openPipe(): Promise<{ from: Socket; to: number }> {
  const folder = fs.mkdtempSync(join(tmpdir(), 'pod-'))
  try {
    const path = join(folder, 'pipe')
    await once(spawn('mkfifo', [path], { stdio: 'ignore' }), 'exit') // Node has no call for it.
    const from = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
    const to = fs.openSync(path, fs.constants.O_WRONLY) // Its reader is there, so it doesn't wait.
    return { from: new Socket({ fd: from, readable: true, writable: false }), to }
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
}
