// A sandbox's terminal on this one: its bytes to the screen, keys to it, until either side ends or Ctrl-] is typed.
// **Security.** What runs there drives this terminal, as with any terminal one attaches to; it is reset afterwards.
import { once } from 'node:events'
import { WebSocket } from 'ws'
import { segment, type Context } from './command.ts'
import { failure } from './errors.ts'
import type { Access } from './instance.ts'

const detachKey = 0x1d // Ctrl-], as telnet has it: hardly a program uses it.
const messageBytesMax = 1024 * 1024
// Main screen, cursor, mouse, bracketed paste, colours: what a full-screen program may have left behind.
const reset = '\x1b[?1049l\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[0m\r\n'

export type Attached = 'detached' | 'ended'

export async function attachTerminal(sandbox: string, access: Access, context: Context): Promise<Attached> {
  const { stdout, interrupted } = context
  await using open = new AsyncDisposableStack()
  const socket = await openSocket(sandbox, access)
  open.defer(() => socket.terminate())

  const end = new AbortController()
  let how: Attached = 'ended'
  const onKeys = (keys: Buffer) => {
    const at = keys.indexOf(detachKey)
    if (at !== 0) socket.send(at < 0 ? keys : keys.subarray(0, at))
    if (at < 0) return
    how = 'detached'
    end.abort()
  }
  const onResize = () => {
    const { columns: cols, rows } = stdout
    if (cols && rows) socket.send(JSON.stringify({ cols, rows }))
  }
  open.use(takeTerminal(context, onKeys, onResize))
  socket.on('message', (data, isBinary) => {
    if (isBinary) stdout.write(data as Buffer)
  })
  onResize()
  const left = AbortSignal.any([end.signal, interrupted])
  await once(socket, 'close', { signal: left }).catch((error: Error) => {
    if (!left.aborted) throw failure('cli/lost', `The terminal broke off: ${error.message}`)
  })
  return how
}

async function openSocket(sandbox: string, access: Access): Promise<WebSocket> {
  const url = new URL(`/api/sandboxes/${segment(sandbox)}/terminal`, access.url)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  const socket = new WebSocket(url, {
    headers: { authorization: `Bearer ${access.token.reveal()}` },
    handshakeTimeout: 10_000,
    maxPayload: messageBytesMax,
  })
  try {
    await once(socket, 'open')
    return socket
  } catch (error) {
    const status = /Unexpected server response: (\d+)/.exec((error as Error).message)?.[1]
    const why = status === '404' ? 'no sandbox that runs has this id' : (error as Error).message
    throw failure('cli/unreachable', `The terminal of ${sandbox} can't be opened: ${why}.`)
  }
}

function takeTerminal({ stdin, stdout }: Context, onKeys: (keys: Buffer) => void, onResize: () => void) {
  if (stdin.isTTY) stdin.setRawMode?.(true)
  stdin.on('data', onKeys)
  stdout.on('resize', onResize)
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
