// Run by hand: `node runtime/proxy/testing/beside-floor-main.ts`. CPU per call of the whole role (key check, ledger, PostgreSQL, threads)
// beside the floor: node:http in, undici dispatch out, nothing between. Processes of their own, rounds interleaved.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { Pool } from 'undici'
import { startPostgres } from '../../testing/postgres.ts'
import { clientKey, keyCheck, startStage } from './stage.ts'

const rounds = 3
const roundMs = 3_000
const connections = 32
const ticksPerSecond = 100
const events = 200

const padding = 'x'.repeat(820)
const usage = { input_tokens: 200, output_tokens: 200 }
const whole = JSON.stringify({
  type: 'message',
  content: [{ type: 'text', text: padding }],
  stop_reason: 'end_turn',
  usage,
})
const eventOf = (data: { type: string }) => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`
const stream = [
  eventOf({ type: 'message_start', message: { usage } } as never),
  ...Array.from({ length: events }, (_, i) =>
    eventOf({
      type: 'content_block_delta',
      index: 0,
      delta: { type: 'text_delta', text: `word ${i} ` },
    } as never),
  ),
  eventOf({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage } as never),
]
const burst = 20

function mock(request: IncomingMessage, response: ServerResponse): void {
  if (request.url === '/internal/keys')
    return void response.end(JSON.stringify([keyCheck(clientKey)]))
  let isStream = false
  request.on('data', (chunk: Buffer) => {
    isStream ||= chunk.includes('"stream":true')
  })
  request.on('end', () => {
    if (!isStream)
      return response
        .writeHead(200, { 'content-type': 'application/json', 'content-length': whole.length })
        .end(whole)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (let i = 0; i < stream.length; i += burst)
      response.write(stream.slice(i, i + burst).join(''))
    return response.end()
  })
}

const dropped = new Set([
  'host',
  'connection',
  'authorization',
  'x-api-key',
  'keep-alive',
  'transfer-encoding',
  'expect',
])
const createFloor = (upstream: string) => {
  const pool = new Pool(upstream, {
    connections: 1_024,
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    allowH2: false,
  })
  const send = (request: IncomingMessage, response: ServerResponse, body: Buffer) => {
    const headers = ['x-api-key', 'sk-vaulted']
    for (let i = 0; i < request.rawHeaders.length; i += 2) {
      const name = request.rawHeaders[i]!.toLowerCase()
      if (!dropped.has(name)) headers.push(name, request.rawHeaders[i + 1]!)
    }
    response.on('close', () => {})
    pool.dispatch(
      { method: 'POST', path: request.url!, headers, body },
      {
        onRequestStart() {},
        onResponseStart(controller, status) {
          const raw = controller.rawHeaders as Buffer[]
          const out: string[] = []
          for (let i = 0; i < raw.length; i += 2) {
            const name = raw[i]!.toString('latin1').toLowerCase()
            if (!dropped.has(name)) out.push(name, raw[i + 1]!.toString('latin1'))
          }
          response.writeHead(status, out)
        },
        onResponseData(controller, chunk) {
          if (!response.write(chunk)) controller.pause()
        },
        onResponseEnd: () => void response.end(),
        onResponseError: () => void response.destroy(),
      },
    )
    response.on('drain', () => {})
  }
  return (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () =>
      send(request, response, chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)),
    )
  }
}

async function serve(
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(handle).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const shippedPolls = { keysPollMs: '1s', providersPollMs: '3s' } // The stage polls faster, for its tests.

async function serveProxy({
  upstream,
  postgresUrl,
}: {
  upstream: string
  postgresUrl: string
}): Promise<void> {
  const postgres = { url: () => postgresUrl, migrate: async () => {} } as never
  const stage = await startStage({ postgres, config: shippedPolls, peersUrl: new URL(upstream) })
  await stage.addProvider({ baseUrl: upstream, models: ['m-1'] })
  process.send!(stage.url.origin)
}

async function start(part: string, argument = ''): Promise<{ child: ChildProcess; url: string }> {
  const child = fork(fileURLToPath(import.meta.url), [part, argument])
  const [url] = (await once(child, 'message')) as [string]
  return { child, url }
}

function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / ticksPerSecond
}

async function load(url: string, body: string): Promise<number> {
  const pool = new Pool(url, { connections, pipelining: 1, allowH2: false })
  const headers = { authorization: `Bearer ${clientKey}`, 'content-type': 'application/json' }
  const end = Date.now() + roundMs
  let calls = 0
  const one = async () => {
    while (Date.now() < end) {
      const { statusCode, body: got } = await pool.request({
        method: 'POST',
        path: '/v1/messages',
        headers,
        body,
      })
      await got.dump()
      if (statusCode !== 200) throw new Error(`status ${statusCode}`)
      calls += 1
    }
  }
  await Promise.all(Array.from({ length: connections }, one))
  await pool.close()
  return calls
}

async function main(): Promise<void> {
  await using postgres = await startPostgres()
  await postgres.migrate('proxy')
  const upstream = await start('mock')
  const floor = await start('floor', upstream.url)
  const proxy = await start(
    'proxy',
    JSON.stringify({ upstream: upstream.url, postgresUrl: postgres.url('proxy') }),
  )
  const small = JSON.stringify({
    model: 'm-1',
    max_tokens: 9,
    messages: [{ role: 'user', content: padding }],
  })
  const large = JSON.stringify({
    model: 'm-1',
    max_tokens: 9,
    messages: [{ role: 'user', content: `${padding}\\n"`.repeat(310) }],
  })
  const bodies = {
    '1 KB': small,
    '256 KB': large,
    '200 events': small.replace('{', '{"stream":true,'),
  }
  for (const [name, body] of Object.entries(bodies)) {
    const best = { floor: Number.POSITIVE_INFINITY, proxy: Number.POSITIVE_INFINITY }
    for (let round = 0; round <= rounds; round += 1) {
      for (const [peer, { child, url }] of Object.entries({ floor, proxy })) {
        const before = cpuMs(child.pid!)
        const calls = await load(url, body)
        const cpu = (cpuMs(child.pid!) - before) / calls
        if (round > 0)
          best[peer as 'floor' | 'proxy'] = Math.min(best[peer as 'floor' | 'proxy'], cpu)
      }
    }
    const ratio = best.proxy / best.floor
    process.stdout.write(
      `${name.padEnd(12)} floor ${best.floor.toFixed(3)} ms  proxy ${best.proxy.toFixed(3)} ms  ratio ${ratio.toFixed(2)}\n`,
    )
  }
  for (const { child } of [proxy, floor, upstream]) child.kill()
}

process.once('disconnect', () => process.exit(0)) // The parts end with the whole.
const [, , part, argument = ''] = process.argv
if (part === 'mock') process.send!(await serve(mock))
else if (part === 'floor') process.send!(await serve(createFloor(argument)))
else if (part === 'proxy') await serveProxy(JSON.parse(argument))
else await main()
