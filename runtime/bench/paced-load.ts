// A program: opens streams over some time, and tells as JSON how late their events came. Each event says when it was written,
// by the clock that all processes of the machine share.
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Framing, findHeadEnd, headEndBytes } from './http1.ts'
import { atPattern } from './mock-answers.ts'
import { quantile } from './table.ts'

export type PacedOptions = {
  url: string
  headers: (readonly [string, string])[]
  bodyFile: string
  keysFile: string
  streams: number
  spreadMs: number
}
export type PacedResult = {
  /** Streams that came to their end. */
  done: number
  /** Of them or of the failed, those that were refused at first, and asked again as vendors' libraries do. */
  refused: number
  events: number
  errors: Record<string, number>
  p50Ms: number
  p99Ms: number
  largestMs: number
}

const nanosecondsPerMs = 1e6
const attemptsMax = 6
const retryMs = 1_000
const retried = new Set(['429', '503'])

const options = JSON.parse(process.argv[2]!) as PacedOptions
const url = new URL(options.url)
const body = readFileSync(options.bodyFile)
const keys = readFileSync(options.keysFile, 'utf8').trim().split('\n')
const delays: number[] = []
const errors: Record<string, number> = {}
let done = 0
let refused = 0
const fail = (why: string) => {
  errors[why] = (errors[why] ?? 0) + 1
}

function toRequest(key: string): Buffer {
  const lines = [
    `POST ${url.pathname} HTTP/1.1`,
    `host: ${url.host}`,
    'content-type: application/json',
    `content-length: ${body.length}`,
    `x-api-key: ${key}`,
    ...options.headers.map(([name, value]) => `${name}: ${value}`),
  ]
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), body])
}

function takeTimes(data: Buffer): void {
  const now = Number(process.hrtime.bigint())
  const text = data.toString('latin1')
  for (const [, at] of text.matchAll(atPattern)) delays.push((now - Number(at)) / nanosecondsPerMs)
}

async function follow(index: number): Promise<void> {
  await sleep((index * options.spreadMs) / options.streams)
  const request = toRequest(keys[index % keys.length]!)
  for (let attempt = 1; ; attempt += 1) {
    const status = await ask(request)
    if (status === '200') return
    if (attempt === 1) refused += 1
    if (attempt === attemptsMax || !retried.has(status)) return fail(status)
    await sleep(retryMs)
  }
}

/** Answers the status, 200 once the stream is over. */
function ask(request: Buffer): Promise<string> {
  const socket = connect({ port: Number(url.port), host: url.hostname, noDelay: true })
  const { promise, resolve } = Promise.withResolvers<string>()
  let framing: Framing | undefined
  let early: Buffer = Buffer.alloc(0)
  socket.on('connect', () => socket.write(request))
  socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'))
  socket.on('close', () => {
    if (framing?.isOver) done += 1
    resolve(framing?.isOver ? '200' : 'cut')
  })
  socket.on('data', (data: Buffer) => {
    takeTimes(data)
    if (framing) framing.take(data, 0)
    else {
      early = Buffer.concat([early, data])
      const stop = findHeadEnd(early)
      if (stop < 0) return
      const head = early.toString('latin1', 0, stop)
      const status = head.slice(9, 12)
      if (status !== '200') {
        resolve(status)
        return void socket.destroy()
      }
      framing = new Framing(head)
      framing.take(early, stop + headEndBytes)
    }
    if (framing.isOver) socket.destroy()
  })
  return promise
}

await Promise.all(Array.from({ length: options.streams }, (_, index) => follow(index)))
const result: PacedResult = {
  done,
  refused,
  errors,
  events: delays.length,
  p50Ms: quantile(delays, 0.5),
  p99Ms: quantile(delays, 0.99),
  largestMs: quantile(delays, 1),
}
process.stdout.write(JSON.stringify(result))
