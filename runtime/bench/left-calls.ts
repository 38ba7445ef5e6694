// Clients that leave in the middle of a stream: how long the gateway keeps asking its upstream for them.
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { toPacedBody } from './requests.ts'
import { readStats } from './upstream-stats.ts'

const streamMs = 300
const closeMsMax = 1_000
const eventsMax = 600 // A minute's: none of these ends by itself.
const nanosecondsPerMs = 1e6

type Options = { url: string; key: string; upstream: string; calls: number }

/** Of each call, the milliseconds from the client's leaving to the upstream's noticing; infinite = it did not. */
export async function leaveCalls({ url, key, upstream, calls }: Options): Promise<number[]> {
  const leftAt = new Map<string, number>()
  for (let index = 0; index < calls; index += 1) {
    const tag = `left-${process.pid}-${index}`
    const asking = request(`${url}/v1/messages`, {
      method: 'POST',
      agent: false,
      headers: { 'content-type': 'application/json', 'x-api-key': key },
    })
    asking.end(toPacedBody(tag, eventsMax))
    const [answer] = (await once(asking, 'response')) as [IncomingMessage]
    if (answer.statusCode !== 200) throw new Error(`A paced stream got ${answer.statusCode}.`)
    answer.on('error', () => {}) // It is we who end it.
    answer.resume()
    await sleep(streamMs)
    leftAt.set(tag, Number(process.hrtime.bigint()))
    asking.destroy()
  }
  await sleep(closeMsMax)
  const { closed } = await readStats(upstream)
  return Array.from(leftAt, ([tag, at]) =>
    closed[tag] === undefined ? Number.POSITIVE_INFINITY : (closed[tag] - at) / nanosecondsPerMs,
  )
}
