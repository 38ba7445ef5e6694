// A PostgreSQL behind a socket of our own, whose answers can be lost: what was committed and never confirmed.
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const socketName = '.s.PGSQL.5432'

export type CutDatabase = AsyncDisposable & {
  url: string
  /** The next connection that said this text and then commits is cut, once its commit is done. Resolves then. */
  loseCommitAfter(text: string): Promise<void>
}

/** @param url Of a server on a Unix socket. */
export async function startCutDatabase(url: string): Promise<CutDatabase> {
  const folder = mkdtempSync(join(tmpdir(), 'cut-'))
  const host = decodeURIComponent(/@([^/]+)\//.exec(url)![1]!)
  const sockets = new Set<Socket>()
  let wanted: { text: string; done: () => void } | null = null
  const server = createServer((client) => {
    const upstream = connect(join(host, socketName))
    let isSaid = false
    let isCommitted = false
    client.on('data', (chunk) => {
      isSaid ||= wanted !== null && chunk.includes(wanted.text)
      isCommitted ||= isSaid && chunk.includes('COMMIT')
      upstream.write(chunk)
    })
    upstream.on('data', (chunk) => {
      if (!isCommitted || !wanted) return void client.write(chunk)
      const { done } = wanted
      wanted = null
      client.destroy()
      upstream.destroy()
      done()
    })
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one)
      one.on('error', () => {}) // 'close' follows.
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
    }
  })
  server.listen(join(folder, socketName))
  await once(server, 'listening')
  return {
    url: url.replace(/@[^/]+\//, `@${encodeURIComponent(folder)}/`),
    loseCommitAfter: (text) =>
      new Promise((done) => {
        wanted = { text, done }
      }),
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of sockets) socket.destroy()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
