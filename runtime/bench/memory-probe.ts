// The living heap of another Node process, by its inspector: collected first, so that what is left is really held.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { HeapSpaceInfo } from 'node:v8'
import WebSocket from 'ws'

/** `codeMb` of the heap is compiled code and what belongs to it: V8 compiles what runs often, for as long as a process lives. */
export type Memory = { heapMb: number; codeMb: number; externalMb: number; residentMb: number }
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
  const found = await ask(2, 'Runtime.evaluate', { expression })
  socket.close()
  const { usage, spaces } = JSON.parse(found!.result.value) as Read
  const toMb = (bytes: number) => bytes / bytesPerMb
  const code = spaces.filter(({ space_name: name }) => /code|trusted/.test(name))
  return {
    heapMb: toMb(usage.heapUsed),
    codeMb: toMb(code.reduce((sum, { space_used_size: used }) => sum + used, 0)),
    externalMb: toMb(usage.external),
    residentMb: toMb(usage.rss),
  }
}

const expression = `JSON.stringify({
  usage: process.memoryUsage(),
  spaces: process.getBuiltinModule('node:v8').getHeapSpaceStatistics(),
})`
type Read = { usage: NodeJS.MemoryUsage; spaces: HeapSpaceInfo[] }

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
