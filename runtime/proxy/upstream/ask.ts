import type { Upstream, UpstreamRequest } from './upstream.ts'

const keptBytesMax = 64 * 1024 // Enough to see what an error says.

/** One small question: the answer's status and the beginning of its body, or the error. */
export function ask(
  upstream: Upstream,
  request: UpstreamRequest,
  msMax: number,
): Promise<{ status: number; body: Buffer }> {
  return new Promise((resolve, reject) => {
    let status = 0
    const parts: Buffer[] = []
    let bytes = 0
    const finish = (settle: () => void) => {
      clearTimeout(late)
      settle()
    }
    const call = upstream.send(request, {
      onStart: () => {},
      onHead: (head) => {
        status = head.status
      },
      onData: (payload) => {
        if (bytes < keptBytesMax) parts.push(Buffer.from(payload))
        bytes += payload.length
      },
      onEnd: () => finish(() => resolve({ status, body: Buffer.concat(parts) })),
      onError: (error) => finish(() => reject(error)),
    })
    const late = setTimeout(() => {
      call.abort()
      reject(new Error('The operation was aborted due to timeout'))
    }, msMax)
  })
}
