// A program: puts load on one address of this machine and prints what came of it as JSON. Raw TCP, one process, a fixed
// number of connections, each with one request under way. It refuses other machines.
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { Framing, findHeadEnd, headEndBytes } from './http1.ts'
import type { LoadOptions, LoadResult } from './run-load.ts'
import { quantile } from './table.ts'

const loopback = ['127.0.0.1', '[::1]', 'localhost']

const options = JSON.parse(process.argv[2]!) as LoadOptions
const url = new URL(options.url)
if (!loopback.includes(url.hostname)) throw new Error('Load goes to this machine only.')

const body = readFileSync(options.bodyFile)
const keys = readFileSync(options.keysFile, 'utf8').trim().split('\n')
const toHead = (key: string) => [
  `POST ${url.pathname} HTTP/1.1`,
  `host: ${url.host}`,
  'content-type: application/json',
  `content-length: ${body.length}`,
  `x-api-key: ${key}`,
  ...options.headers.map(([name, value]) => `${name}: ${value}`),
]
const heads = keys.map((key) => Buffer.from(`${toHead(key).join('\r\n')}\r\n\r\n`))
const joinedBytesMax = 16_384 // Beyond it, a second write costs less than a copy for each key.
const requests =
  body.length <= joinedBytesMax ? heads.map((head) => Buffer.concat([head, body])) : null

const startedAt = performance.now()
const endAt = startedAt + options.seconds * 1_000
const latencies: number[] = []
const errors: Record<string, number> = {}
let begun = 0
let bytes = 0

const isDone = () =>
  performance.now() >= endAt || begun >= options.requestsMax || countErrors() >= options.errorsMax
const countErrors = () => Object.values(errors).reduce((total, count) => total + count, 0)
const fail = (why: string) => {
  errors[why] = (errors[why] ?? 0) + 1
}

/** One connection after the other until the end; resolves then. */
async function keepAsking(client: number): Promise<void> {
  while (!isDone()) await askOver(connect({ port: Number(url.port), host: url.hostname }), client)
}

function askOver(socket: Socket, client: number): Promise<void> {
  let framing: Framing | undefined
  let early: Buffer = Buffer.alloc(0)
  let sentAt = 0
  let status = ''
  const ask = () => {
    if (isDone()) return void socket.end()
    begun += 1
    const turn = (options.clients === 'call' ? begun : client) % keys.length
    sentAt = performance.now()
    if (requests) return void socket.write(requests[turn]!)
    socket.cork()
    socket.write(heads[turn]!)
    socket.write(body)
    socket.uncork()
  }
  const finish = (bodyBytes: number) => {
    if (status === '200') {
      latencies.push(performance.now() - sentAt)
      bytes += bodyBytes
    } else fail(`status ${status}`)
    framing = undefined
    sentAt = 0
    ask()
  }
  socket.setNoDelay(true)
  socket.on('connect', ask)
  socket.on('data', (data: Buffer) => {
    if (framing) framing.take(data, 0)
    else {
      early = Buffer.concat([early, data])
      const stop = findHeadEnd(early)
      if (stop < 0) return
      const text = early.toString('latin1', 0, stop)
      status = text.slice(9, 12)
      framing = new Framing(text)
      framing.take(early, stop + headEndBytes)
      early = Buffer.alloc(0)
    }
    if (framing.isOver) finish(framing.bodyBytes)
  })
  const { promise, resolve } = Promise.withResolvers<void>()
  socket.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? 'error'))
  socket.on('close', () => {
    if (sentAt > 0) fail('cut')
    resolve()
  })
  return promise
}

await Promise.all(Array.from({ length: options.connections }, (_, client) => keepAsking(client)))
const seconds = (performance.now() - startedAt) / 1_000
const { user, system } = process.cpuUsage()
const result: LoadResult = {
  requests: latencies.length,
  perSecond: latencies.length / seconds,
  seconds,
  errors,
  p50Ms: quantile(latencies, 0.5),
  p99Ms: quantile(latencies, 0.99),
  bytesPerReply: bytes / latencies.length,
  cpuMs: (user + system) / 1_000,
}
process.stdout.write(JSON.stringify(result))
