// A program: a floor under every proxy in JavaScript. node:http in, http.request out, piped; no checks, no ledger.
// Run: node floor-http.ts UPSTREAM_URL
import { Agent, request as ask, createServer } from 'node:http'
import { announceServer } from './announce.ts'

const upstream = new URL(process.argv[2]!)
const agent = new Agent({ keepAlive: true, maxSockets: 4_096, maxFreeSockets: 1_024 })
const dropped = new Set(['host', 'connection', 'authorization', 'x-api-key', 'keep-alive'])

await announceServer(
  createServer((request, response) => {
    const headers: Record<string, string | string[]> = { 'x-api-key': 'sk-vaulted' }
    for (const [name, value] of Object.entries(request.headers))
      if (!dropped.has(name)) headers[name] = value!
    const { hostname: host, port } = upstream
    const to = { agent, host, port, method: request.method!, path: request.url!, headers }
    const asked = ask(to, (reply) => {
      response.writeHead(reply.statusCode!, reply.headers)
      reply.pipe(response)
      reply.on('error', () => response.destroy())
    })
    asked.on('error', () => {
      if (response.headersSent) response.destroy()
      else response.writeHead(502).end()
    })
    response.on('close', () => {
      if (!response.writableFinished) asked.destroy()
    })
    request.pipe(asked)
  }),
)
