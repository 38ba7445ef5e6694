// The daemon's code is compiled once, while the role is up already: the first sandboxes need not
// wait for it.
import { randomBytes } from 'node:crypto'
import type { SandboxesDeps } from './sandboxes.ts'

export function startWarmUp({
  backend,
  uids,
  log,
}: Pick<SandboxesDeps, 'backend' | 'uids' | 'log'>): AsyncDisposable {
  const stop = new AbortController()
  const running = warmUp().catch((error: unknown) => {
    if (!stop.signal.aborted) log.warn({ error }, 'no compiled code: sandboxes start slower')
  })
  return {
    async [Symbol.asyncDispose]() {
      stop.abort()
      await running
    },
  }

  async function warmUp(): Promise<void> {
    const uid = uids.take()
    const place = { ...backend.place(randomBytes(8).toString('hex'), uid), cgroups: [] }
    try {
      await backend.fillCodeCache(place, stop.signal)
    } finally {
      await backend.remove(place, null)
      uids.giveBack(uid)
    }
  }
}
