// A program: the proxy's own lanes, relay and upstream client with nothing behind them: what carrying a call costs by itself.
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { createLookup } from '#kernel/address.ts'
import { toUpstreamHeaders } from '../proxy/headers.ts'
import { createLanes } from '../proxy/lane/lanes.ts'
import type { LiveProvider } from '../proxy/providers.ts'
import { onlyTo, Relay } from '../proxy/relay.ts'
import { createUpstream } from '../proxy/upstream/upstream.ts'

const { hostname: host, port } = new URL(process.argv[2]!)
const minuteMs = 60_000
const route = {
  ...{ host, port: Number(port), isTls: false, ca: null, proxy: null, connectMs: minuteMs },
  lookup: createLookup(true),
}
const upstream = createUpstream({ route, firstByteMs: minuteMs, idleMs: minuteMs })
const provider = { upstream } as LiveProvider
const store = { bytes: 0, bytesMax: Number.POSITIVE_INFINITY }
const watcher = { head: () => {}, data: () => {}, end: () => {} }
const times = {
  headersMs: minuteMs,
  requestMs: minuteMs,
  keepAliveMs: minuteMs,
  stallMs: minuteMs,
  drainMs: minuteMs,
}
const lanes = createLanes((exchange) => {
  const { target: path, reply } = exchange
  const headers = toUpstreamHeaders(exchange.headers, ['x-api-key', 'sk-vaulted'])
  exchange.readBody(minuteMs * minuteMs, store).then((body) => {
    store.bytes -= body.length
    const attempts = onlyTo({ provider, path, headers, body })
    new Relay({ reply, watcher, attempts, stallMs: minuteMs }).start()
  })
}, times)
const door = createServer(
  { allowHalfOpen: true, noDelay: true, pauseOnConnect: true },
  (socket) => {
    lanes.accept(socket, undefined)
  },
)
door.listen(0, '127.0.0.1')
await once(door, 'listening')
process.stdout.write(`http://127.0.0.1:${(door.address() as AddressInfo).port}\n`)
