// A sandbox's terminal on this one: its bytes to the screen, keys to it, until either side ends or Ctrl-] is typed.
// **Security.** What runs there drives this terminal, as with any terminal one attaches to; it is reset afterwards.
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { WebSocket } from 'ws'
import { toJson, toUnreachable } from './client.ts'
import { type Context, segment } from './command.ts'
import { failure, toFailure } from './errors.ts'
import type { Access } from './instance.ts'

const detachKey = 0x1d // Ctrl-], as telnet has it: hardly a program uses it.
const messageBytesMax = 8 * 1024 * 1024 // The first message is all that the sandbox kept, at most 4 MiB.
// Main screen, cursor, mouse, bracketed paste, colours: what a full-screen program may have left behind.
const reset =
  '\x1b[?1049l\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[0m\r\n'

/** Answers once it is over, with what to tell the person. */
export async function attachTerminal(sandbox: string, access: Access, context: Context) {
  const { stdout, interrupted } = context
  const socket = await openSocket(sandbox, access, (bytes) => stdout.write(bytes))
  const detached = new AbortController()
  using _taken = takeTerminal(context, {
    onKeys: (keys) => {
      const at = keys.indexOf(detachKey)
      if (at !== 0) socket.send(at < 0 ? keys : keys.subarray(0, at))
      if (at >= 0) detached.abort()
    },
    onSize: (size) => socket.send(JSON.stringify(size)),
  })
  try {
    return await untilOver(socket, AbortSignal.any([detached.signal, interrupted]))
  } finally {
    socket.terminate()
  }
}

const normal = 1000 // RFC 6455, 7.4.1.

async function untilOver(socket: WebSocket, left: AbortSignal): Promise<string> {
  const over = once(socket, 'close', { signal: left })
  const code = await over.then(
    ([closed]) => closed as number,
    (error: Error) => error,
  )
  if (left.aborted) return 'Detached. The agent goes on.'
  if (code === normal) return 'The agent has ended.'
  const why = code instanceof Error ? code.message : `closed with ${code}`
  throw failure('cli/lost', `The terminal broke off: ${why}.`)
}

type OnBytes = (bytes: Buffer) => void

function openSocket(sandbox: string, access: Access, onBytes: OnBytes): Promise<WebSocket> {
  const url = new URL(`/api/sandboxes/${segment(sandbox)}/terminal`, access.url)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  const socket = new WebSocket(url, {
    headers: { authorization: `Bearer ${access.token.reveal()}` },
    handshakeTimeout: 10_000,
    maxPayload: messageBytesMax,
  })
  // Listened to from the start: the first message may come with the opening answer itself.
  socket.on('message', (data, isBinary) => {
    if (isBinary) onBytes(data as Buffer)
  })
  return new Promise((opened, failed) => {
    socket.once('open', () => opened(socket))
    socket.once('error', (error) => failed(toUnreachable(access.url, error)))
    socket.once('unexpected-response', (_request, answer) => {
      const { statusCode = 0 } = answer
      text(answer).then((body) => failed(toFailure(statusCode, toJson(body, statusCode))), failed)
    })
  })
}

type Size = { cols: number; rows: number }
type Hands = { onKeys: (keys: Buffer) => void; onSize: (size: Size) => void }

function takeTerminal({ stdin, stdout }: Context, { onKeys, onSize }: Hands): Disposable {
  const onResize = () => {
    const { columns: cols, rows } = stdout
    if (cols && rows) onSize({ cols, rows })
  }
  if (stdin.isTTY) stdin.setRawMode?.(true)
  stdin.on('data', onKeys)
  stdout.on('resize', onResize)
  onResize()
  return {
    [Symbol.dispose]() {
      stdin.off('data', onKeys)
      stdout.off('resize', onResize)
      if (stdin.isTTY) stdin.setRawMode?.(false)
      stdin.pause()
      if (stdout.isTTY) stdout.write(reset)
    },
  }
}
