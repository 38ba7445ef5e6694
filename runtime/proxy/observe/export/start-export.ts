// What of the calls leaves the house, by the config.
import type { Logger } from '#kernel/log.ts'
import type { ProxyConfig } from '../../config.ts'
import type { Ledger } from '../../ledger.ts'
import type { Observer } from '../observer.ts'
import type { Follower } from './follow-ledger.ts'
import { startJsonl } from './jsonl.ts'
import { startWebhook } from './webhook.ts'

type Options = {
  config: ProxyConfig['export']
  /** A further process writes files of its own. */
  worker: number | undefined
  ledger: Ledger
  observer: Observer
  folder: string
  log: Logger
  now: () => Date
}

export function startExport({
  config,
  worker,
  observer,
  folder,
  ...deps
}: Options): AsyncDisposable {
  const owned = new AsyncDisposableStack()
  const followers = new Map<string, Follower>()
  const shared = { ...deps, stateFolder: folder, backlogBytesMax: config?.backlogBytesMax ?? 0 }
  const suffix = worker === undefined ? '' : `-worker-${worker}`
  if (config?.jsonl) {
    followers.set('jsonl', owned.use(startJsonl({ ...shared, ...config.jsonl, suffix })))
  }
  if (config?.webhook)
    followers.set('webhook', owned.use(startWebhook({ ...shared, ...config.webhook })))
  if (followers.size > 0) {
    addCounter(observer, 'exported_calls_total', 'Calls that were exported.', () =>
      [...followers].map(([to, follower]) => ({ labels: { to }, value: follower.sentCalls() })),
    )
    addCounter(observer, 'export_skipped_bytes_total', 'What exports left out.', () =>
      [...followers].map(([to, follower]) => ({ labels: { to }, value: follower.skippedBytes() })),
    )
  }
  return owned
}

type Read = () => { labels: Record<string, string>; value: number }[]

const addCounter = (observer: Observer, name: string, help: string, read: Read) =>
  observer.addGauge({ name, help, type: 'counter', read })
