import { http } from './builtin.ts'
import type { Pod } from './pod.ts'
import { answer, upgrade } from './routes.ts'

const connectionsMax = 64 // Weaver's long polls, execs and terminals of one sandbox.
const requestMsMax = 600_000 // The largest bundle, from a slow disk.
const idleMs = 60_000 // Weaver asks again within seconds; an early close would race with that.

/** Answers on a Unix socket until the process ends. */
export function serve(pod: Pod, socket: string, onReady: () => void): void {
  const server = http.createServer({ requestTimeout: requestMsMax, keepAliveTimeout: idleMs })
  server.maxConnections = connectionsMax
  server.on('request', (request, response) => {
    response.sendDate = false // Where no time zone is set, the first date looks for one: 7 ms.
    void answer(pod, request, response)
  })
  server.on('upgrade', (request, connection, head) => void upgrade(pod, request, connection, head))
  server.listen(socket, onReady)
}
