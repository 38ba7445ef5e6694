// Request bodies are held whole: the model must be known before a byte goes out, and a length is surer than chunks.
import type { IncomingMessage } from 'node:http'
import { Refusal } from './refusal.ts'

/** The client went away before its request was complete: nobody is left to be answered. */
export class ClientLeft extends Error {
  override readonly name = 'ClientLeft'
}

/** Bytes of all bodies held at the moment. */
export type BodyStore = { bytes: number; readonly bytesMax: number }

/** The caller gives the bytes back to the store when the body is no longer needed; a refused body is given back here. */
export function collectBody(
  request: IncomingMessage,
  bytesMax: number,
  store: BodyStore,
): Promise<Buffer> {
  const encoding = request.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') {
    return Promise.reject(new Refusal('body/encoded', `It came as ${encoding.slice(0, 40)}.`))
  }
  if (Number(request.headers['content-length'] ?? 0) > bytesMax)
    return Promise.reject(tooLarge(bytesMax))
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const fail = (error: Error) => {
      request.off('data', take)
      request.resume() // What still comes is thrown away.
      store.bytes -= bytes
      bytes = 0
      reject(error)
    }
    const take = (chunk: Buffer) => {
      bytes += chunk.length
      store.bytes += chunk.length
      chunks.push(chunk)
      if (bytes > bytesMax) fail(tooLarge(bytesMax))
      else if (store.bytes > store.bytesMax) fail(new Refusal('capacity/full', undefined, 2))
    }
    request.on('data', take)
    request.once('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)))
    request.once('close', () => {
      if (!request.complete) fail(new ClientLeft())
    })
    request.once('error', () => {}) // 'close' follows.
  })
}

const tooLarge = (bytesMax: number) =>
  new Refusal('body/too-large', `${bytesMax} bytes are the most.`)
