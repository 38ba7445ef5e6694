// A viewer of a terminal as anybody could write one: it counts bytes, and keeps what it was told.
import { once } from 'node:events'
import { WebSocket } from 'ws'
import type { Claims } from '#kernel/tokens.ts'
import { userClaims } from '../../testing/deps.ts'
import type { TerminalHello, TerminalNews } from '../api.ts'
import type { TestWeaver } from '../testing.ts'
import { until } from './until.ts'

export type Viewer = {
  socket: WebSocket
  hello: TerminalHello
  /** Everything so far. */
  bytes(): Buffer
  news: TerminalNews[]
  /** The next byte that is wanted. */
  next(): number
  /** Waits for a message like this, sent before or after. */
  told(part: Partial<TerminalNews>): Promise<void>
  shows(text: string): Promise<void>
  say(order: object): void
  keys(text: string): void
  closed: Promise<{ code: number; reason: string }>
}

type Options = { search?: string; claims?: Claims; url?: URL }

/** Rejects with the status where it is refused. */
export async function openViewer(
  weaver: TestWeaver,
  id: string,
  { search = '', claims = userClaims(), url = weaver.url }: Options = {},
): Promise<Viewer> {
  const headers = { authorization: `Bearer ${await weaver.deps.tokenFor(claims)}` }
  const path = `ws://${url.host}/api/sandboxes/${id}/terminal${search}`
  const socket = new WebSocket(path, { headers })
  const pieces: Buffer[] = []
  const news: TerminalNews[] = []
  let next = 0
  socket.on('message', (data, isBinary) => {
    if (isBinary) {
      pieces.push(data as Buffer)
      next += (data as Buffer).length
      return
    }
    const said = JSON.parse(String(data)) as TerminalNews
    if (said.type === 'hello') next = said.offset
    news.push(said)
  })
  const closed = new Promise<{ code: number; reason: string }>((over) => {
    socket.once('close', (code, reason) => over({ code, reason: String(reason) }))
  })
  await once(socket, 'open')
  socket.on('error', () => {}) // Its close tells.
  const bytes = () => Buffer.concat(pieces)
  await until(() => news.length > 0 || socket.readyState !== WebSocket.OPEN)
  return {
    ...{ socket, hello: news[0] as TerminalHello, bytes, news, closed },
    next: () => next,
    told: (part) =>
      until(() => news.some((said) => Object.entries(part).every(([k, v]) => has(said, k, v)))),
    shows: (text) => until(() => bytes().includes(text)),
    say: (order) => socket.send(JSON.stringify(order)),
    keys: (text) => socket.send(Buffer.from(text)),
  }
}

const has = (said: object, name: string, value: unknown) =>
  (said as Record<string, unknown>)[name] === value

/** The status of a terminal that does not open. */
export async function refusalOf(weaver: TestWeaver, id: string, options: Options = {}) {
  try {
    const { socket } = await openViewer(weaver, id, options)
    socket.terminate()
    return 101
  } catch (error) {
    return Number(/Unexpected server response: (\d+)/.exec((error as Error).message)?.[1])
  }
}
