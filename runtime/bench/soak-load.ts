// A program: calls of all sizes and shapes at a steady pace, some of which the client leaves. Tells what came of them as JSON.
import { readFileSync } from 'node:fs'
import { Agent, type IncomingMessage, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

export type SoakKind = 'small' | 'large' | 'stream' | 'paced' | 'left'
export type SoakOptions = {
  url: string
  headers: (readonly [string, string])[]
  keysFile: string
  bodies: Record<SoakKind, string>
  seconds: number
}
export type SoakResult = {
  /** Calls that reached the upstream, those left included. */
  calls: number
  left: number
  errors: Record<string, number>
}

// Together within what goes to threads in a second; by kind, calls in a second.
const pace: Record<SoakKind, number> = { small: 100, large: 5, stream: 30, paced: 5, left: 10 }
const leftMs = { least: 20, spread: 400 }

const options = JSON.parse(process.argv[2]!) as SoakOptions
const agent = new Agent({ keepAlive: true, maxSockets: 512 })
const keys = readFileSync(options.keysFile, 'utf8').trim().split('\n')
const errors: Record<string, number> = {}
let turn = 0
let calls = 0
let left = 0

const fail = (why: string) => {
  errors[why] = (errors[why] ?? 0) + 1
}

async function call(kind: SoakKind, body: Buffer): Promise<void> {
  const headers = Object.fromEntries([
    ...options.headers,
    ['content-type', 'application/json'],
    ['content-length', String(body.length)],
    ['x-api-key', keys[turn++ % keys.length]!],
  ])
  const asked = Promise.withResolvers<IncomingMessage>()
  const asking = request(options.url, { method: 'POST', agent, headers }, asked.resolve)
  asking.on('error', asked.reject)
  asking.end(body)
  try {
    const answer = await asked.promise
    if (answer.statusCode !== 200) throw new Error(`status ${answer.statusCode}`)
    calls += 1
    if (kind === 'left') {
      answer.on('error', () => {}) // It is we who end it.
      answer.resume()
      await sleep(leftMs.least + ((turn * 37) % leftMs.spread))
      asking.destroy()
      left += 1
    } else for await (const _ of answer);
  } catch (error) {
    fail((error as NodeJS.ErrnoException).code ?? (error as Error).message)
  }
}

const endAt = performance.now() + options.seconds * 1_000
const pending = new Set<Promise<void>>()

async function keepCalling(kind: SoakKind): Promise<void> {
  const body = readFileSync(options.bodies[kind])
  const everyMs = 1_000 / pace[kind]
  for (let due = performance.now(); due < endAt; due += everyMs) {
    await sleep(Math.max(0, due - performance.now()))
    const one = call(kind, body).finally(() => pending.delete(one))
    pending.add(one)
  }
}

await Promise.all((Object.keys(pace) as SoakKind[]).map(keepCalling))
await Promise.all(pending)
agent.destroy()
const result: SoakResult = { calls, left, errors }
process.stdout.write(JSON.stringify(result))
