import { request } from 'node:http'
import { json } from 'node:stream/consumers'

export type UpstreamStats = {
  requests: number
  /** Paced streams that go on. */
  openPaced: number
  /** Of paced streams that were cut, when their connection was closed, by their tag, in nanoseconds of the machine's clock. */
  closed: Record<string, number>
}

export async function readStats(upstream: string): Promise<UpstreamStats> {
  const asked = Promise.withResolvers<UpstreamStats>()
  request(new URL('/stats', upstream), { agent: false }, (answer) =>
    asked.resolve(json(answer) as Promise<UpstreamStats>),
  )
    .on('error', asked.reject)
    .end()
  return asked.promise
}
