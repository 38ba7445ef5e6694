import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { WebSocketServer } from 'ws'
import { listenOn } from '#kernel/http.ts'
import { type Claims, createVerifier, type RoleName } from '#kernel/tokens.ts'
import { testTrust } from './deps.ts'

/** What arrived at the peer, as it answers it. `claims` is what the token says, for this role alone. */
export type Echo = {
  role: RoleName
  method: string
  url: string
  headers: Record<string, string>
  claims: Claims | null
  body: string
}

export type EchoPeer = AsyncDisposable & {
  url: URL
  /** Requests that came in, finished or not. */
  seen: number
  /** Requests whose client left before the answer was whole. */
  left: number
  /** Cuts every connection, as a crash would. */
  crash(): void
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** Stands for a role behind the front door: echoes each request, or answers by `answer`; a WebSocket gets its messages back. */
export async function startEchoPeer(role: RoleName, answer?: Answer): Promise<EchoPeer> {
  const verify = createVerifier(role, testTrust)
  const server = createServer(async (request, response) => {
    peer.seen += 1
    response.once('close', () => {
      if (!response.writableFinished) peer.left += 1
    })
    if (answer) return answer(request, response)
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(await toEcho(request)))
  })
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', async (socket, request) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
    socket.on('close', () => {
      peer.left += 1
    })
    socket.send(JSON.stringify(await toEcho(request)))
  })
  const listening = await listenOn(server, 0)
  const peer: EchoPeer = {
    url: listening.url,
    seen: 0,
    left: 0,
    crash: () => server.closeAllConnections(),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets.clients) socket.terminate()
      server.closeAllConnections()
      await listening[Symbol.asyncDispose]()
    },
  }
  return peer

  async function toEcho(request: IncomingMessage): Promise<Echo> {
    const token = request.headers.authorization?.replace(/^Bearer /, '') ?? ''
    return {
      role,
      method: request.method!,
      url: request.url!,
      headers: request.headers as Record<string, string>,
      claims: (await verify(token)) ?? null,
      body: String(await buffer(request)),
    }
  }
}
