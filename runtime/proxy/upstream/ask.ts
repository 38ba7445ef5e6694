import type { Upstream, UpstreamRequest } from './upstream.ts'

/** One small question whose answer's body is of no interest: the status, or the error. */
export function askStatus(
  upstream: Upstream,
  request: UpstreamRequest,
  msMax: number,
): Promise<number> {
  return new Promise((resolve, reject) => {
    let status = 0
    const finish = (settle: () => void) => {
      clearTimeout(late)
      settle()
    }
    const call = upstream.send(request, {
      onStart: () => {},
      onHead: (head) => {
        status = head.status
      },
      onData: () => {},
      onEnd: () => finish(() => resolve(status)),
      onError: (error) => finish(() => reject(error)),
    })
    const late = setTimeout(() => {
      call.abort()
      reject(new Error('The operation was aborted due to timeout'))
    }, msMax)
  })
}
