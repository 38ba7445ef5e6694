// A program: the floor that Treadle's proxy is held against. node:http in, undici's dispatch out, raw header arrays, no
// streams between; no checks, no ledger. Small bodies are collected first, large ones flow.
// Run: node floor-undici.ts UPSTREAM_URL
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type Dispatcher, Pool } from 'undici'
import { announceServer } from './announce.ts'

const collectedBytesMax = 64 * 1_024 // Beyond it, streaming costs less than joining.
const pool = new Pool(process.argv[2]!, {
  connections: 1_024,
  pipelining: 1,
  headersTimeout: 0,
  bodyTimeout: 0,
  allowH2: false,
})
const dropped = new Set([
  'host',
  'connection',
  'authorization',
  'x-api-key',
  'keep-alive',
  'transfer-encoding',
  'expect',
])

function toRequestHeaders(raw: readonly string[]): string[] {
  const headers = ['x-api-key', 'sk-vaulted']
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase()
    if (!dropped.has(name)) headers.push(name, raw[i + 1]!)
  }
  return headers
}

function toResponseHeaders(raw: readonly Buffer[]): string[] {
  const headers: string[] = []
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!.toString('latin1').toLowerCase()
    if (!dropped.has(name)) headers.push(name, raw[i + 1]!.toString('latin1'))
  }
  return headers
}

type Body = Buffer | IncomingMessage

function send(request: IncomingMessage, response: ServerResponse, body: Body): void {
  let control: Dispatcher.DispatchController | undefined
  response.on('close', () => {
    if (!response.writableFinished) control?.abort(new Error('the client left'))
  })
  response.on('drain', () => control?.resume())
  const headers = toRequestHeaders(request.rawHeaders)
  pool.dispatch(
    { method: 'POST', path: request.url!, headers, body },
    {
      onRequestStart(controller) {
        control = controller
      },
      onResponseStart(controller, status) {
        response.writeHead(status, toResponseHeaders(controller.rawHeaders as Buffer[]))
      },
      onResponseData(controller, chunk) {
        if (!response.write(chunk)) controller.pause()
      },
      onResponseEnd() {
        response.end()
      },
      onResponseError() {
        if (response.headersSent) response.destroy()
        else response.writeHead(502).end()
      },
    },
  )
}

function serve(request: IncomingMessage, response: ServerResponse): void {
  const bytes = Number(request.headers['content-length'] ?? Number.POSITIVE_INFINITY)
  if (bytes > collectedBytesMax) {
    send(request, response, request)
    return
  }
  const pieces: Buffer[] = []
  request.on('data', (piece: Buffer) => pieces.push(piece))
  request.on('end', () => {
    send(request, response, pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces))
  })
}

await announceServer(createServer(serve))
