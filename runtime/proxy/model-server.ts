// The two doors for model calls, one HTTP server behind both: the public port, and the line socket for sandboxes.
import { createServer } from 'node:http'
import { listenOn } from '#kernel/http.ts'
import type { GatewayConfig } from './config.ts'
import type { Handle } from './handler.ts'
import { GeneralExchange } from './lane/general.ts'
import { listenLines } from './line.ts'

const headerBytesMax = 64 * 1024 // Codex sends its workspace's paths and more in one header.
const headersMs = 10_000
const requestMs = 120_000 // 32 MiB at 280 KB/s.
const keepAliveMs = 75_000 // Longer than clients keep theirs, so that they end it: no race for the last request.

/** The public URL. Disposing lets calls end for a while, then cuts them; what they cost is booked either way. */
export async function listenModels(
  config: GatewayConfig,
  handle: Handle,
  settled: () => Promise<void>,
): Promise<AsyncDisposable & { url: URL }> {
  await using starting = new AsyncDisposableStack()
  starting.defer(settled) // Disposed last: a cut call is booked a moment after its socket is gone.
  const limits = {
    maxHeaderSize: headerBytesMax,
    headersTimeout: headersMs,
    requestTimeout: requestMs,
  }
  const server = createServer({ ...limits, keepAliveTimeout: keepAliveMs }, (request, response) =>
    handle(new GeneralExchange(request, response)),
  )
  server.maxConnections = config.connectionsMax
  const { url } = starting.use(await listenOn(server, config.port, config.workers > 1))
  if (config.lineSocket !== null)
    starting.use(await listenLines(config.lineSocket, server, config.connectionsMax))
  const started = starting.move()
  return { url, [Symbol.asyncDispose]: () => started.disposeAsync() }
}
