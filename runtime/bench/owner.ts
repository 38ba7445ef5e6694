// The owner of the Treadle that is measured, at its front door.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Client, createOwnerClient } from '../start/watch.ts'

export type Owner = Client & { put(path: string, body: unknown): Promise<void> }

export function createOwner(url: string, state: string): Owner {
  const token = readFileSync(join(state, 'owner.token'), 'utf8').trim()
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  return {
    ...createOwnerClient(url, state),
    async put(path, body) {
      const init = { method: 'PUT', headers, body: JSON.stringify(body) }
      const response = await fetch(new URL(path, url), init)
      if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    },
  }
}
