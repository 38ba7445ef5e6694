// One process on a pseudo-terminal: the head of its own session, so of its own process group.
import { writeSync } from 'node:fs'
import type { Socket } from 'node:net'
import { constants } from 'node:os'
import { spawn } from '@lydell/node-pty'

export type Pty = {
  pid: number
  /** At its start. */
  size: { cols: number; rows: number }
  onBytes(listener: (chunk: Buffer) => void): void
  /** `exit` is null after a signal. */
  onExit(listener: (exit: number | null, signal: string | null) => void): void
  /** Types into it. What a process doesn't read is dropped, once the kernel's 4 KiB are full. */
  type(keys: Buffer): void
  resize(columns: number, rows: number): void
}

type Program = { argv: readonly string[]; cwd: string; env: Readonly<Record<string, string>> }

const size = { cols: 120, rows: 40 } // Until somebody with a screen says another.

export function startPty({ argv, cwd, env }: Program): Pty {
  const [file, ...args] = argv
  const pty = spawn(file!, args, {
    name: 'xterm-256color',
    ...size,
    cwd,
    env,
    encoding: null, // Bytes: a read may cut through a character.
  })
  const { _socket: socket, fd } = pty as unknown as { _socket: Socket; fd: number }
  return {
    pid: pty.pid,
    size,
    onBytes: (listener) => void pty.onData((data) => listener(data as unknown as Buffer)),
    onExit: (listener) =>
      void pty.onExit(({ exitCode, signal }) =>
        signal ? listener(null, toSignalName(signal)) : listener(exitCode, null),
      ),
    type: (keys) => {
      if (!socket.destroyed) writeOrDrop(fd, keys)
    },
    resize(columns, rows) {
      if (socket.destroyed) return // It ended, and its exit is on the way.
      pty.resize(columns, rows)
    },
  }
}

/** Past the library's own `write`: that one waits for a reader, and all of the daemon with it. */
function writeOrDrop(fd: number, bytes: Buffer): void {
  try {
    writeSync(fd, bytes) // The library made the descriptor non-blocking.
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EAGAIN' && code !== 'EIO') throw error // Full, or nobody is there any more.
  }
}

const signalNames = new Map(Object.entries(constants.signals).map(([name, n]) => [n, name]))
const toSignalName = (signal: number): string => signalNames.get(signal) ?? `SIG${signal}`
