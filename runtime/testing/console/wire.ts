// What a page costs on the wire: every response of a tab as it came, compressed, out of no cache.
import type { Page } from 'playwright-core'

export type Loaded = { path: string; bytes: number }

/** Counts from now on. Streams count when they end, so the live line does not. */
export async function countWire(page: Page): Promise<readonly Loaded[]> {
  const loaded: Loaded[] = []
  const paths = new Map<string, string>()
  const session = await page.context().newCDPSession(page)
  session.on('Network.responseReceived', ({ requestId, response }) => {
    paths.set(requestId, new URL(response.url).pathname)
  })
  session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    loaded.push({ path: paths.get(requestId) ?? '', bytes: encodedDataLength })
  })
  await session.send('Network.enable')
  await session.send('Network.setCacheDisabled', { cacheDisabled: true })
  await session.send('Network.setExtraHTTPHeaders', { headers: { 'accept-encoding': 'gzip' } })
  return loaded
}

export const sumBytes = (loaded: readonly Loaded[]) =>
  loaded.reduce((sum, { bytes }) => sum + bytes, 0)
