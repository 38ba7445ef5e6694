import { execFile } from 'node:child_process'
import { constants, openSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { withPrivateFolder } from './private-folder.ts'

/**
 * A pipe as a shell makes it, for a program's output. Node's own are sockets, which no program can open again:
 * `echo oops > /dev/stderr` would fail in here, and nowhere else. Whoever gets the writing end closes it.
 */
export const openPipe = (): Promise<{ from: Socket; to: number }> =>
  withPrivateFolder(async (folder) => {
    const path = join(folder, 'pipe')
    await promisify(execFile)('mkfifo', [path])
    const from = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK) // Waits for no writer.
    const to = openSync(path, constants.O_WRONLY)
    return { from: new Socket({ fd: from, readable: true, writable: false }), to }
  })
