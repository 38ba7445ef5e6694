// Bodies that pass through: never held whole, never longer than their limit.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { z } from 'zod'
import { fault, type WeaverCode } from './errors.ts'
import type { PodResponse } from './pod-client.ts'

/**
 * A request's body on its way to the daemon. Reading it fails with `weaver/too-large` past the
 * limit.
 */
export function passIn(request: IncomingMessage, bytesMax: number): Readable {
  const limited = createLimit(bytesMax, 'weaver/too-large')
  request.on('error', (error) => limited.destroy(error))
  request.on('aborted', () => limited.destroy())
  return request.pipe(limited)
}

const Snapped = z.object({
  'x-treadle-sha': z.string().regex(/^[0-9a-f]{40}$/),
  'x-treadle-files-changed': z.string().regex(/^\d{1,9}$/),
})

/**
 * A snapshot on its way out. Of the daemon's headers these two alone go on, and only in their own
 * shape.
 */
export async function passOut(
  answer: PodResponse,
  response: ServerResponse,
  bytesMax: number,
): Promise<void> {
  const headers = Snapped.safeParse(answer.headers)
  if (!headers.success) {
    answer.body.destroy()
    throw fault('weaver/pod-failed', { detail: headers.error.message })
  }
  response.writeHead(200, { ...headers.data, 'content-type': 'application/x-git-bundle' })
  await pipeline(answer.body, createLimit(bytesMax, 'weaver/pod-failed'), response).catch(() => {
    // Half a bundle must not look like a whole one; the head is out, so cutting is what is left.
    response.destroy()
  })
}

function createLimit(bytesMax: number, code: WeaverCode): Transform {
  let bytes = 0
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length
      if (bytes <= bytesMax) done(null, chunk)
      else done(fault(code, { say: `At most ${bytesMax} bytes.` }))
    },
  })
}

/** Aborts when the caller leaves before its answer is complete. */
export function whenGone(response: ServerResponse): AbortSignal {
  const gone = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) gone.abort()
  })
  return gone.signal
}
