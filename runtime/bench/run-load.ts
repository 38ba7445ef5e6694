import { fileURLToPath } from 'node:url'
import { readAll, startProgram } from './processes.ts'

export type LoadOptions = {
  url: string
  headers: (readonly [string, string])[]
  bodyFile: string
  /** Of the clients, one a line. */
  keysFile: string
  /** Each connection is another client's, as real ones are, or each call is the next client's. */
  clients: 'connection' | 'call'
  connections: number
  seconds: number
  requestsMax: number
  /** Then it ends: a gateway that only fails is told as such, not hammered. */
  errorsMax: number
}
export type LoadResult = {
  /** Those answered with 200. */
  requests: number
  perSecond: number
  seconds: number
  /** Kind to count. */
  errors: Record<string, number>
  p50Ms: number
  p99Ms: number
  bytesPerReply: number
  /** The load's own. */
  cpuMs: number
}

const program = fileURLToPath(new URL('./load.ts', import.meta.url))

export async function runLoad(options: LoadOptions, core: number): Promise<LoadResult> {
  await using load = startProgram([process.execPath, program, JSON.stringify(options)], { core })
  return JSON.parse(await readAll(load)) as LoadResult
}
