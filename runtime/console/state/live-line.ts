// One connection for all tabs of a browser: with HTTP/1.1 a browser opens six to one origin, and each stream holds one.
// The tab that holds the lock reads the stream and tells the others; when it closes, the next one takes its place.
import { createParser } from 'eventsource-parser'

export type LiveMessage =
  | { type: 'line'; status: LineStatus }
  /** Connected, perhaps again: what happened in between is to be read anew. */
  | { type: 'again' }
  | { type: 'told'; event: string; data: unknown }
export type LineStatus = 'connecting' | 'open' | 'lost'

type Options = { path: string; name: string; onMessage: (message: LiveMessage) => void }

const silentMsMax = 8_000 // The server says something every 5 s.
const retryMs = 500
const retryMsMax = 3_000

/** Runs until aborted. */
export function openLiveLine({ path, name, onMessage }: Options, signal: AbortSignal): void {
  const channel = new BroadcastChannel(name)
  let status: LineStatus = 'connecting'
  let leads = false
  const tell = (message: LiveMessage) => {
    channel.postMessage(message)
    hear(message)
  }
  const hear = (message: LiveMessage) => {
    if (message.type === 'line') status = message.status
    onMessage(message)
  }
  channel.onmessage = ({ data }: MessageEvent<LiveMessage | { type: 'who' }>) => {
    if (data.type !== 'who') hear(data)
    else if (leads) channel.postMessage({ type: 'line', status } satisfies LiveMessage)
  }
  channel.postMessage({ type: 'who' })
  signal.addEventListener('abort', () => channel.close())
  navigator.locks
    .request(name, { signal }, async () => {
      leads = true
      await readForEver(path, tell, signal)
    })
    .catch(() => {}) // Aborted while it waited for the lock.
}

async function readForEver(
  path: string,
  tell: (message: LiveMessage) => void,
  signal: AbortSignal,
): Promise<void> {
  let waitMs = retryMs
  while (!signal.aborted) {
    const opened = await readOnce(path, tell, signal)
    if (signal.aborted) return
    tell({ type: 'line', status: 'lost' })
    waitMs = opened ? retryMs : Math.min(waitMs * 2, retryMsMax)
    await new Promise((resolve) => setTimeout(resolve, waitMs))
  }
}

/** True where the stream was open for a while. */
async function readOnce(
  path: string,
  tell: (message: LiveMessage) => void,
  signal: AbortSignal,
): Promise<boolean> {
  const silence = new AbortController()
  let watch = setTimeout(() => silence.abort(), silentMsMax)
  let opened = false
  const parser = createParser({
    onEvent: ({ event = 'message', data }) =>
      tell({ type: 'told', event, data: JSON.parse(data) as unknown }),
  })
  try {
    const response = await fetch(path, {
      headers: { accept: 'text/event-stream' },
      signal: AbortSignal.any([signal, silence.signal]),
    })
    if (!response.ok || !response.body) return false
    opened = true
    tell({ type: 'line', status: 'open' })
    tell({ type: 'again' })
    for await (const text of chunks(response.body)) {
      clearTimeout(watch)
      watch = setTimeout(() => silence.abort(), silentMsMax)
      parser.feed(text)
    }
  } catch {
    // Cut, silent, or closed by us: the caller tries again.
  } finally {
    clearTimeout(watch)
  }
  return opened
}

async function* chunks(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    yield value
  }
}
