// A model server on loopback that is nobody's rehearsal: its own process, key and log, as a user's own server has.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export type ModelCall = { wire: string; model: string | null; status: number | null }
export type LocalModel = AsyncDisposable & {
  url: string
  /** What `provider add --key-file` takes. */
  keyFile: string
  calls(): ModelCall[]
}

const entry = fileURLToPath(new URL('../rehearsal/main.ts', import.meta.url))

/** Checks the key and each wire, and plays the script that a model's name ends in. */
export async function startLocalModel(folder: string, key: string): Promise<LocalModel> {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const [keyFile, log] = [join(folder, 'key'), join(folder, 'calls.jsonl')]
  writeFileSync(keyFile, `${key}\n`, { mode: 0o600 })
  const args = [entry, '--key-file', keyFile, '--log', log, '--parent-watch']
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const [line] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string]
  const { url } = JSON.parse(line) as { url: string }
  return {
    url,
    keyFile,
    calls: () =>
      readFileSync(log, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((text) => JSON.parse(text) as ModelCall),
    async [Symbol.asyncDispose]() {
      child.stdin!.end()
      if (child.exitCode === null) await once(child, 'exit')
    },
  }
}
