// People at an agent's terminal: who may watch, who may type, and how many at once. The bytes come from the daemon in
// the sandbox (`terminal-relay.ts`); who writes is settled here (`terminal-room.ts`), where the agent has no say.
import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocketServer } from 'ws'
import { callerFaults } from '#kernel/caller.ts'
import { Fault } from '#kernel/fault.ts'
import type { RoleDeps } from '#kernel/role.ts'
import type { UserClaims } from '#kernel/tokens.ts'
import { type Sandbox, TerminalQuery } from './api.ts'
import { assertAllowed, liveOr, type RoutesDeps, toBody } from './asked.ts'
import type { Entry } from './entry.ts'
import { watchLiveness } from './liveness.ts'
import { closeCodes, openDaemon, relay } from './terminal-relay.ts'
import { createRooms } from './terminal-room.ts'

type Deps = RoutesDeps & Pick<RoleDeps, 'log'>

const path = /^\/api\/sandboxes\/([0-9a-f]{1,64})\/terminal$/
const keysBytesMax = 64 * 1024
const openMax = 512 // Each holds a megabyte at most.
const openPerPersonMax = 128 // One person leaves room for the others.
const openPerSandboxMax = 32 // As many as its daemon takes.
const deathMsMax = 1_000 // A daemon that dies breaks its sockets first; that its sandbox ends is known a moment later.
const goodbyeMs = 200 // For the last bytes and the close to go out.

/** Disposing tells every viewer to come back later. */
export function handleTerminals(server: Server, deps: Deps): AsyncDisposable {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: keysBytesMax,
    perMessageDeflate: false,
  })
  const rooms = createRooms()
  const places = createPlaces()
  const liveness = watchLiveness()

  async function open(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { sandbox, person, query, mayWrite } = await admit(deps, request)
    // No pause between the question whether it lives and the opening: its descriptor is closed when it ends.
    const entry = liveOr(deps.sandboxes, sandbox)
    const leave = places.take(sandbox.id, person)
    const daemon = await openDaemon(entry.started!.pod.socketPath, query).catch(
      (error: unknown) => {
        leave()
        throw error
      },
    )
    if (socket.destroyed) {
      leave()
      return daemon.terminate()
    }
    const giveUp = () => daemon.terminate() // Of a caller that speaks no WebSocket after all.
    socket.once('close', leave).once('close', giveUp)
    sockets.handleUpgrade(request, socket, head, (client) => {
      socket.off('close', giveUp)
      relay({
        ...{ client, daemon, mayWrite, wantsWrite: query.mode === 'write' },
        enter: (tell) => rooms.enter(sandbox.id, tell),
        onProgress: liveness.watch(client),
        whyEnded: () => whyEnded(entry),
      })
    })
  }

  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // The client's line broke. Without a listener it would end the process.
    socket.on('error', () => socket.destroy())
    open(request, socket, head).catch((error: unknown) => {
      if (!(error instanceof Fault)) deps.log.error({ error }, 'failed')
      refuse(socket, error)
    })
  })
  return {
    async [Symbol.asyncDispose]() {
      liveness[Symbol.dispose]()
      if (sockets.clients.size === 0) return
      for (const client of sockets.clients) client.close(closeCodes.goingAway)
      await sleep(goodbyeMs)
      for (const client of sockets.clients) client.terminate()
    },
  }
}

type Admitted = { sandbox: Sandbox; person: string; query: TerminalQuery; mayWrite: boolean }

async function admit(deps: Deps, request: IncomingMessage): Promise<Admitted> {
  const claims = await callerOf(deps, request)
  const [asked = '', search] = request.url?.split('?', 2) ?? []
  const id = path.exec(asked)?.[1] ?? ''
  const query = toBody(TerminalQuery, Object.fromEntries(new URLSearchParams(search)))
  const needed = query.mode === 'write' ? 'sandbox:attach' : 'sandbox:read'
  const sandbox = await assertAllowed(deps, claims, needed, id)
  const resource = { type: 'Sandbox', id, org: sandbox.org, owner: sandbox.user } as const
  const mayWrite = deps.access.decide(claims, 'sandbox:attach', resource).allowed
  return { sandbox, person: `${claims.org}/${claims.sub}`, query, mayWrite }
}

const unknown = 'caller/unknown'

async function callerOf({ verify }: Deps, request: IncomingMessage): Promise<UserClaims> {
  const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1]
  const claims = token ? await verify(token) : undefined
  if (claims?.kind !== 'user') throw new Fault(unknown, callerFaults[unknown])
  return claims
}

/** Counts who is in and who is on the way in. */
function createPlaces() {
  const taken = new Map<string, number>()
  const count = (name: string) => taken.get(name) ?? 0
  const add = (name: string, more: number) => {
    if (count(name) + more === 0) taken.delete(name)
    else taken.set(name, count(name) + more)
  }
  return {
    /** Throws when there is no place; else answers what gives it back. */
    take(sandbox: string, person: string): () => void {
      const limits = [
        ['all', openMax],
        [`sandbox ${sandbox}`, openPerSandboxMax],
        [`person ${person}`, openPerPersonMax],
      ] as const
      for (const [name, max] of limits) if (count(name) >= max) throw full(max)
      for (const [name] of limits) add(name, 1)
      return () => {
        for (const [name] of limits) add(name, -1)
      }
    },
  }
}

const full = (max: number) =>
  new Fault('weaver/full', {
    status: 503,
    text: `${max} terminals are open, and no more go. Close one.`,
  })

/** Undefined while the sandbox lives on without its daemon's word. */
async function whyEnded(entry: Entry): Promise<string | undefined> {
  if (!entry.endReason) await Promise.race([entry.started!.ended, sleep(deathMsMax)])
  return entry.endReason ?? undefined
}

function refuse(socket: Duplex, error: unknown): void {
  const { status, code, publicMessage, problems } =
    error instanceof Fault
      ? error
      : {
          ...{ status: 500, code: 'internal', problems: undefined },
          publicMessage: 'Something failed here; the log has it.',
        }
  const body = JSON.stringify({ code, message: publicMessage, ...(problems && { problems }) })
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  )
}
