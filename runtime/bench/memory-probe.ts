// The living heap of another Node process, by its inspector: collected first, so that what is left is really held.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import WebSocket from 'ws'

export type Memory = { heapMb: number; externalMb: number; residentMb: number }
const bytesPerMb = 1024 ** 2
const openTriesMax = 50

/** @param port The one that the process was started with as `--inspect-port`; SIGUSR1 opens it. */
export async function readMemory(pid: number, port: number): Promise<Memory> {
  const socket = new WebSocket(await openInspector(pid, port))
  await once(socket, 'open')
  const ask = async (id: number, method: string, params: object = {}) => {
    socket.send(JSON.stringify({ id, method, params }))
    for await (const [data] of on(socket)) {
      const answer = JSON.parse(String(data)) as { id?: number; result?: Evaluated }
      if (answer.id === id) return answer.result
    }
    throw new Error('The inspector has gone.')
  }
  await ask(1, 'HeapProfiler.collectGarbage')
  const expression = 'JSON.stringify(process.memoryUsage())'
  const found = await ask(2, 'Runtime.evaluate', { expression })
  socket.close()
  const { heapUsed, external, rss } = JSON.parse(found!.result.value) as NodeJS.MemoryUsage
  const toMb = (bytes: number) => bytes / bytesPerMb
  return { heapMb: toMb(heapUsed), externalMb: toMb(external), residentMb: toMb(rss) }
}

type Evaluated = { result: { value: string } }

async function* on(socket: WebSocket): AsyncGenerator<[WebSocket.RawData]> {
  for (;;) yield (await once(socket, 'message')) as [WebSocket.RawData]
}

async function openInspector(pid: number, port: number): Promise<string> {
  process.kill(pid, 'SIGUSR1')
  for (let tries = 0; tries < openTriesMax; tries += 1) {
    const response = await fetch(`http://127.0.0.1:${port}/json/list`).catch(() => null)
    if (response) {
      const [target] = (await response.json()) as { webSocketDebuggerUrl: string }[]
      return target!.webSocketDebuggerUrl
    }
    await sleep(100)
  }
  throw new Error(`Process ${pid} opens no inspector on port ${port}.`)
}
