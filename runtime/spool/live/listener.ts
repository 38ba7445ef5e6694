// One caller that listens: server-sent events on its response, written as they come or not at all.
import { once } from 'node:events'
import type { Response } from 'express'
import type { Live } from '../api.ts'

export type Message = { text: Buffer; about?: About }
/** What a message is about, for the policies. */
export type About = { id: string; org: string; user_id: string; repository: string }

export type Listener = {
  send(message: Message): void
  /** Settles when so little waits that more may be sent, or when its reader is too slow and was cut. */
  ready(): Promise<void>
  /** Ends the answer in good order; the caller comes again by itself. */
  end(): void
}

const behindBytesMax = 1024 ** 2
const graceMs = 1_000 // Then a reader who is still behind is cut: it reads again what it shows.
const lifeMsMax = 600_000 // Then the caller proves again who it is: a key that was revoked hears no more.

export const toMessage = <Name extends keyof Live>(
  name: Name,
  data: Live[Name],
  about?: About,
): Message => ({
  text: Buffer.from(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`),
  ...(about && { about }),
})

export const heartbeat: Message = { text: Buffer.from(':\n\n') }

export function createListener(response: Response, mayRead: (about: About) => boolean): Listener {
  response.setHeader('content-type', 'text/event-stream')
  response.setHeader('cache-control', 'no-store')
  response.setHeader('x-content-type-options', 'nosniff')
  response.write('retry: 500\n\n')
  const life = setTimeout(() => response.end(), lifeMsMax).unref()
  const gone = new AbortController()
  response.on('close', () => {
    clearTimeout(life)
    gone.abort()
  })
  return {
    end: () => void response.end(),
    send({ text, about }) {
      if (response.writableEnded || response.destroyed) return
      if (about && !mayRead(about)) return
      response.write(text)
    },
    async ready() {
      if (response.writableLength <= behindBytesMax || response.destroyed) return
      const patience = AbortSignal.any([gone.signal, AbortSignal.timeout(graceMs)])
      await once(response, 'drain', { signal: patience }).catch(() => response.destroy()) // Too slow.
    },
  }
}
