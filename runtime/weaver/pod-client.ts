// The daemon's HTTP, from outside. The agent shares a user with the daemon and may have become it:
// so whatever comes back is bounded in size and time and parsed, and is never taken for more than
// this sandbox's word about itself.
import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { type Dispatcher, Pool } from 'undici'
import { z } from 'zod'
import { Fault } from '#kernel/fault.ts'
import { fault } from './errors.ts'

export type PodCall = {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  path: string
  json?: unknown
  body?: import('node:stream').Readable
  signal?: AbortSignal
  /** How long the daemon may stay silent before its answer, and within it. */
  silentMsMax?: number
}
export type PodResponse = Dispatcher.ResponseData

export type PodClient = AsyncDisposable & {
  /** For a WebSocket of one's own: where the daemon listens. */
  socketPath: string
  /** Throws a Fault for an answer over 399. Whoever gets the body bounds it. */
  call(call: PodCall): Promise<PodResponse>
  /** The answer read, bounded, and parsed. */
  json<T>(schema: z.ZodType<T>, call: PodCall): Promise<T>
}

const connectionsMax = 64 // Long polls, terminals and commands of one sandbox at once.
const silentMsDefault = 30_000
// The largest is an ExecResult: 64 KiB of output, each byte escaped as six.
const jsonBytesMax = 1024 * 1024

/**
 * **Security.** The socket is opened by descriptor once, before anything untrusted runs, and
 * reached by it from then on: its name lies in a folder of the sandbox, where the agent could put a
 * link to somebody else's socket.
 */
export function openPod(socketPath: string): PodClient {
  const descriptor = pin(socketPath)
  const pinned = `/proc/self/fd/${descriptor}`
  const pool = new Pool('http://pod', {
    connections: connectionsMax,
    socketPath: pinned,
    pipelining: 1,
    keepAliveTimeout: 60_000,
    maxHeaderSize: 16 * 1024,
  })
  const call = (request: PodCall) => send(pool, request)
  return {
    socketPath: pinned,
    call,
    async json(schema, request) {
      const parsed = schema.safeParse(toJson(await readBounded(await call(request), jsonBytesMax)))
      if (!parsed.success) throw fault('weaver/pod-failed', { detail: parsed.error.message })
      return parsed.data
    },
    async [Symbol.asyncDispose]() {
      if (pool.destroyed) return // Twice closed, the descriptor could be somebody else's.
      await pool.destroy()
      closeSync(descriptor)
    },
  }
}

// O_PATH, open(2): a handle on the file itself, which Node has no name for.
const pathOnly = 0o10000000

function pin(socketPath: string): number {
  const descriptor = openSync(socketPath, pathOnly | constants.O_NOFOLLOW)
  if (fstatSync(descriptor).isSocket()) return descriptor
  closeSync(descriptor)
  throw fault('weaver/no-start', { detail: "the daemon's socket is no socket" })
}

async function send(pool: Pool, call: PodCall): Promise<PodResponse> {
  const { method, path, json, body, signal, silentMsMax = silentMsDefault } = call
  const response = await pool
    .request({
      method,
      path,
      headers: json === undefined ? {} : { 'content-type': 'application/json' },
      body: json === undefined ? (body ?? null) : JSON.stringify(json),
      headersTimeout: silentMsMax,
      bodyTimeout: silentMsMax,
      ...(signal && { signal }),
    })
    .catch((cause: unknown) => {
      if (cause instanceof Fault) throw cause // Of the body that was sent.
      throw fault('weaver/pod-failed', { cause, detail: String(cause) })
    })
  if (response.statusCode > 399) throw await toRefusal(response)
  return response
}

const Refusal = z.object({ code: z.string().max(100), message: z.string().max(2_000) })
const refusalBytesMax = 64 * 1024

/** What the daemon says goes on as text: its status and its code are not ours. */
async function toRefusal(response: PodResponse): Promise<Error> {
  const text = await readBounded(response, refusalBytesMax)
  const parsed = Refusal.safeParse(toJson(text))
  const say = parsed.success
    ? toPlain(`${parsed.data.message} [${parsed.data.code}]`)
    : `It answered ${response.statusCode}.`
  if (response.statusCode >= 500) return fault('weaver/pod-failed', { say })
  return fault('weaver/refused', { say })
}

/** On one line, and without what drives a screen or what no database takes. */
const toPlain = (text: string) => text.toWellFormed().replace(/\p{Cc}/gu, ' ')

export async function readBounded(response: PodResponse, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > bytesMax) break
      chunks.push(chunk)
    }
  } catch (cause) {
    throw fault('weaver/pod-failed', { cause, detail: String(cause) })
  }
  if (bytes > bytesMax) throw fault('weaver/pod-failed', { detail: `over ${bytesMax} bytes` })
  return Buffer.concat(chunks)
}

function toJson(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString())
  } catch {
    return undefined // The schema refuses it, with what it wanted.
  }
}
