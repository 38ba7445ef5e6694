import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Logger } from '#kernel/log.ts'

export type Rehearsal = AsyncDisposable & { url: string; keyFile: string }

const entry = fileURLToPath(new URL('../rehearsal/main.ts', import.meta.url))

/** The scripted model, in a process of its own; started again on the same port when it ends unasked. */
export async function startRehearsal(
  folder: string,
  keyFile: string,
  log: Logger,
): Promise<Rehearsal> {
  let isWanted = true
  let { child, url } = await launch(0)
  const port = Number(new URL(url).port)
  const watching = watch()
  return {
    url,
    keyFile,
    async [Symbol.asyncDispose]() {
      isWanted = false
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM')
        await once(child, 'exit')
      }
      await watching
    },
  }

  async function launch(onPort: number) {
    const args = [
      '--port',
      String(onPort),
      '--key-file',
      keyFile,
      '--log',
      join(folder, 'calls.jsonl'),
      '--parent-watch',
    ]
    // Its standard input is a pipe from us: it ends when we do, however we end.
    const started = spawn(process.execPath, [entry, ...args], {
      stdio: ['pipe', 'pipe', 'inherit'], // What it says of its end is for the person at the terminal.
      detached: true,
    })
    return { child: started, url: await listening(started) }
  }

  async function watch(): Promise<void> {
    while (isWanted) {
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
      if (!isWanted) return
      log.warn('the rehearsal model ended by itself; starting it again')
      await sleep(500)
      await launch(port).then(
        (next) => ({ child, url } = next),
        (error: unknown) => log.error({ error }, 'the rehearsal model did not start'),
      )
    }
  }
}

async function listening(child: ChildProcess): Promise<string> {
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`The rehearsal model ended with ${code}.`)
  })
  const said = (async () => {
    for await (const line of createInterface({ input: child.stdout! })) {
      return (JSON.parse(line) as { url: string }).url
    }
    return ended
  })()
  ended.catch(() => {}) // Raced below; after that its end is the watcher's to see.
  return Promise.race([said, ended])
}
