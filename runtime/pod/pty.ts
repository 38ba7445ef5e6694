// One process on a pseudo-terminal: the head of its own session, so of its own process group.
import type { Socket } from 'node:net'
import { constants } from 'node:os'
import { spawn } from '@lydell/node-pty'

export type Pty = {
  pid: number
  onBytes(listener: (chunk: Buffer) => void): void
  /** `exit` is null after a signal. */
  onExit(listener: (exit: number | null, signal: string | null) => void): void
  /** Types into it. Keys that the process doesn't read are dropped, once a buffer is full. */
  type(keys: Buffer): void
  resize(columns: number, rows: number): void
}

type Program = { argv: readonly string[]; cwd: string; env: Readonly<Record<string, string>> }

const keysBytesMax = 64 * 1024 // What a person pastes at once; the kernel's own buffer is 4 KiB.

export function startPty({ argv, cwd, env }: Program): Pty {
  const [file, ...args] = argv
  const pty = spawn(file!, args, {
    name: 'xterm-256color',
    cols: 120,
    rows: 40,
    cwd,
    env,
    encoding: null, // Bytes: a read may cut through a character.
  })
  const { _socket: socket } = pty as unknown as { _socket: Socket } // The only way to see its queue.
  return {
    pid: pty.pid,
    onBytes: (listener) => void pty.onData((data) => listener(data as unknown as Buffer)),
    onExit: (listener) =>
      void pty.onExit(({ exitCode, signal }) =>
        signal ? listener(null, toSignalName(signal)) : listener(exitCode, null),
      ),
    type: (keys) => {
      if (socket.writableLength + keys.length <= keysBytesMax) pty.write(keys as unknown as string)
    },
    resize(columns, rows) {
      if (socket.destroyed) return // It ended, and its exit is on the way.
      pty.resize(columns, rows)
    },
  }
}

const signalNames = new Map(Object.entries(constants.signals).map(([name, n]) => [n, name]))
const toSignalName = (signal: number): string => signalNames.get(signal) ?? `SIG${signal}`
