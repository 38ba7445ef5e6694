// A further process that carries model calls: see workers.ts. It has what it needs from its parent, and ends with it.
import { mkdirSync } from 'node:fs'
import { collectLessOften } from '#kernel/collector.ts'
import { openDatabase } from '#kernel/db.ts'
import { createLog } from '#kernel/log.ts'
import { openLogFile } from '#kernel/log-file.ts'
import { createPeers } from '#kernel/peers.ts'
import { createSigner, createVerifier } from '#kernel/tokens.ts'
import { type Gateway, startGateway } from './gateway.ts'
import type { WorkerOrder, WorkerStart, WorkerWord } from './workers.ts'

collectLessOften()
process.umask(0o077) // Nothing that it makes is for anybody else.
const orphanMsMax = 3_000
const say = (word: WorkerWord): void => {
  process.send?.(word)
}

process.once('message', async (start: WorkerStart) => {
  await using owned = new AsyncDisposableStack()
  const gateway = owned.use(await startWorker(start, owned))
  const ended = Promise.withResolvers<void>()
  process.once('SIGTERM', ended.resolve)
  process.once('disconnect', () => {
    setTimeout(() => process.exit(1), orphanMsMax).unref() // Its folder is wanted by whoever comes next.
    ended.resolve() // The parent is gone: what is in flight is booked, and no more is taken.
  })
  process.on('SIGINT', () => {}) // Ctrl-C reaches the whole group; the parent says when.
  process.on('message', (order: WorkerOrder) => obey(gateway, order))
  say({ ready: true })
  await ended.promise
  process.removeAllListeners('message')
  process.channel?.unref()
})

async function startWorker(
  { identity, config, folder, index }: WorkerStart,
  owned: AsyncDisposableStack,
): Promise<Gateway> {
  const { databaseUrl, pem, trust, urls, log: place } = identity
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const stream = place ? openLogFile(place.folder, `proxy-worker-${index}.log`) : process.stderr
  const db = await openDatabase(databaseUrl)
  owned.defer(() => db.end())
  const known = new Map(urls.map(([role, url]) => [role, new URL(url)] as const))
  return startGateway(
    { ...config, lineSocket: null },
    {
      log: createLog(place?.level ?? 'silent', stream).child({ role: 'proxy', worker: index }),
      now: () => new Date(),
      db,
      verify: createVerifier('proxy', trust),
      peers: createPeers('proxy', createSigner('proxy', pem), known),
      folder,
      worker: index,
    },
  )
}

async function obey(gateway: Gateway, { number, ...order }: WorkerOrder): Promise<void> {
  try {
    const observed = order.order === 'observe' ? gateway.observer.observe(order.question) : null
    if (order.order !== 'observe') await gateway[order.order]()
    say({ done: number, error: null, observed })
  } catch (error) {
    say({ done: number, error: String(error), observed: null })
  }
}
