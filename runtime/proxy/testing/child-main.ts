// A proxy in a process of its own, for tests that kill it. Forked with a JSON argument; says where it listens.
import { startStage } from './stage.ts'

type Given = {
  postgresUrl: string
  folder: string
  peersUrl: string
  /** Null = another process adds the providers. */
  upstreamUrl: string | null
  config?: object
}
export type Told = { modelUrl: string; lineSocket: string }

const { postgresUrl, folder, peersUrl, upstreamUrl, config } = JSON.parse(process.argv[2]!) as Given
const postgres = { url: () => postgresUrl, migrate: async () => {} } as never
// A tight ledger shows at once what is not shipped: nothing but the file outlives this process.
const tight = {
  ledger: { syncMs: '10ms', shipMs: '60m', segmentBytesMax: '4KiB', backlogBytesMax: '64MiB' },
}
const stage = await startStage({
  postgres,
  folder,
  config: { ...tight, ...config },
  peersUrl: new URL(peersUrl),
})
const models = ['m-1', 'claude-opus-4-5']
if (upstreamUrl !== null) await stage.addProvider({ name: 'child', baseUrl: upstreamUrl, models })
process.send!({ modelUrl: stage.url.href, lineSocket: stage.config.lineSocket } satisfies Told)
process.once('SIGTERM', () => stage[Symbol.asyncDispose]().then(() => process.exit(0)))
process.once('disconnect', () => process.exit(1)) // The test is gone: so is its child.
