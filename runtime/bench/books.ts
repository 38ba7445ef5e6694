// Holds Treadle's ledger against the calls that were made: a figure of calls that nobody booked is none.
import type { UsageRow } from '../proxy/api.ts'
import type { Client } from '../start/watch.ts'

export type Books = {
  /** So many more calls were made, each of which has to be in the ledger. */
  expect(calls: number): void
  /** Throws where a call is not booked, is booked twice, or its conversation is lost. */
  check(name: string): Promise<string>
}

type Deps = {
  client: Client
  /** Resolves when nothing is left to ship. */
  settled: () => Promise<unknown>
}

const days = 2 // A run over midnight is two of them.

export function openBooks({ client, settled }: Deps): Books {
  let expected = 0
  return {
    expect(calls) {
      expected += calls
    },
    async check(name) {
      await settled()
      const rows = await client.get<UsageRow[]>(`/api/usage?days=${days}`)
      const booked = rows.reduce((sum, { calls }) => sum + calls, 0)
      const dropped = await readDropped(client)
      const found = `${name}: ${booked} calls in the ledger, ${expected} made; ${dropped} conversations dropped`
      if (booked !== expected || dropped > 0) throw new Error(`The books are wrong. ${found}.`)
      return found
    },
  }
}

async function readDropped(client: Client): Promise<number> {
  let dropped = 0
  for await (const line of client.lines('/api/metrics', AbortSignal.timeout(readMsMax))) {
    if (line.startsWith('treadle_proxy_turns_dropped_total'))
      dropped += Number(line.slice(line.lastIndexOf(' ')))
  }
  return dropped
}
const readMsMax = 10_000
