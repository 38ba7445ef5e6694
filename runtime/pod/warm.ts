// One run of the daemon that does nothing for anybody: a compile cache then holds all that a sandbox's start and
// its first command take.
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { PodOptions } from './pod.ts'
import { createPod } from './pod.ts'
import { withPrivateFolder } from './private-folder.ts'
import { probe } from './probes.ts'
import { serve } from './serve.ts'

// Literal names, so that whoever links the daemon into one file finds them.
const late = [
  () => import('./agent.ts'),
  () => import('./checkout.ts'),
  () => import('./forwarder.ts'),
  () => import('./snapshot.ts'),
  () => import('./terminal.ts'),
]

export async function warm(options: PodOptions): Promise<void> {
  probe({})
  await Promise.all(late.map((load) => load()))
  await withPrivateFolder(async (folder) => {
    const socket = join(folder, 'pod.sock')
    await new Promise<void>((resolve) => serve(createPod(options), socket, resolve))
    await ask(socket, '/activate', { token: null })
    await ask(socket, '/exec', { argv: ['true'], env: {}, timeoutMs: 10_000 })
  })
}

/** By hand: the HTTP client that Node has would be loaded and compiled for nothing. */
async function ask(path: string, route: string, json: unknown): Promise<void> {
  const body = JSON.stringify(json)
  const head = `POST ${route} HTTP/1.1\r\nhost: pod\r\nconnection: close`
  const socket = connect({ path })
  socket.end(`${head}\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
  socket.resume()
  await once(socket, 'close')
}
