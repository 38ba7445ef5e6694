// One process owns a folder: an abstract socket bears its name, and the kernel gives the name back however the process ends.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { realpathSync } from 'node:fs'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const lookMs = 50

export class FolderHeld extends Error {
  override readonly name = 'FolderHeld'
}

/**
 * Holds an existing folder until it is disposed, or this process ends. Waits so long for another holder to let go of it,
 * then throws FolderHeld.
 * **Limits.** It is seen within one network namespace: containers that share a folder must not share it at once.
 */
export async function holdFolder(folder: string, waitMsMax: number): Promise<AsyncDisposable> {
  const name = createHash('sha256').update(realpathSync(folder)).digest('hex').slice(0, 32)
  for (const end = performance.now() + waitMsMax; ; await sleep(lookMs)) {
    const server = createServer((socket) => socket.destroy())
    server.listen(`\0treadle-${name}`)
    const isMine = await once(server, 'listening').then(
      () => true,
      () => false, // The name is taken: nothing else can be wrong with one that has no file.
    )
    server.unref() // It keeps nothing alive but itself.
    if (isMine) return { [Symbol.asyncDispose]: async () => void server.close() }
    if (performance.now() >= end) throw new FolderHeld(`another process holds ${folder}`)
  }
}
