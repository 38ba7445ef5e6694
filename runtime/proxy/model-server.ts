// The two doors for model calls, the public port and the line socket for sandboxes, with the same lanes behind both.
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import type { GatewayConfig } from './config.ts'
import type { Handle } from './handler.ts'
import { createLanes, type Lanes } from './lane/lanes.ts'
import { listenLines } from './line.ts'

const headersMs = 10_000
const requestMs = 120_000 // 32 MiB at 280 KB/s.
// A client that vanished without a word is noticed 10 s later, also while its answer is waited for.
const probeMs = 30_000
const keepAliveMs = 75_000 // Longer than clients keep theirs, so that they end it: no race for the last request.

export type ModelServer = AsyncDisposable & { url: URL; counts: Lanes['counts'] }

/** The public URL. Disposing lets calls end for a while, then cuts them; what they cost is booked either way. */
export async function listenModels(
  config: GatewayConfig,
  handle: Handle,
  end: () => Promise<void>,
): Promise<ModelServer> {
  await using starting = new AsyncDisposableStack()
  starting.defer(end) // Disposed last: a cut call is booked a moment after its socket is gone.
  const { idleMs: stallMs, drainMs } = config
  const limits = { headersMs, requestMs, keepAliveMs, stallMs, drainMs }
  const lanes = starting.use(createLanes(handle, limits))
  starting.defer(lanes.drain)
  const url = await listenPort(config, lanes, starting)
  if (config.lineSocket !== null)
    starting.use(await listenLines(config.lineSocket, config.connectionsMax, lanes.accept))
  const started = starting.move()
  return { url, counts: lanes.counts, [Symbol.asyncDispose]: () => started.disposeAsync() }
}

async function listenPort(
  { port, connectionsMax, workers }: GatewayConfig,
  lanes: Lanes,
  owned: AsyncDisposableStack,
): Promise<URL> {
  const probing = { keepAlive: true, keepAliveInitialDelay: probeMs }
  const door = createServer(
    { allowHalfOpen: true, noDelay: true, pauseOnConnect: true, ...probing },
    (socket) => lanes.accept(socket, undefined),
  )
  door.maxConnections = connectionsMax
  door.listen({ port, host: '127.0.0.1', reusePort: workers > 1 })
  await once(door, 'listening') // `once` rejects on 'error': a port in use is the caller's to explain.
  owned.defer(() => void door.close())
  return new URL(`http://127.0.0.1:${(door.address() as AddressInfo).port}`)
}
