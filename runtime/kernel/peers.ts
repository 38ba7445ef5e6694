// How a role calls another: HTTP with a short-lived token of its own, also when both share a process.
import { Agent, request as send } from 'undici'
import { Fault } from './fault.ts'
import type { RoleName, Signer } from './tokens.ts'

export type PeerCall = {
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  path: string
  json?: unknown
  body?: Buffer | import('node:stream').Readable
  /** The body's media type. */
  type?: string
  signal?: AbortSignal
  /** How long the peer may stay silent. Default 30 s. */
  silentMsMax?: number
}
export type PeerResponse = Awaited<ReturnType<typeof send>>

export type Peers = {
  /** Where a role answers. Throws until it is known. */
  url(role: RoleName): URL
  /** A call as this role. Throws the peer's own Fault (code, status, message) for an answer over 399. */
  call(role: RoleName, call: PeerCall): Promise<PeerResponse>
  /** The same, its JSON answer read. */
  json<T>(role: RoleName, call: PeerCall): Promise<T>
}

const tokenLifeMs = 60_000
const tokenReuseMs = 30_000 // Half its life: what is sent has at least the other half left.

/** `urls` fills up while roles start; who calls before that gets a Fault, and its own retry covers it. */
export function createPeers(self: RoleName, sign: Signer, urls: ReadonlyMap<RoleName, URL>): Peers {
  const agent = new Agent({ connections: 64, keepAliveTimeout: 10_000 })
  const tokens = new Map<RoleName, { token: Promise<string>; madeAt: number }>()

  const tokenFor = (role: RoleName) => {
    const known = tokens.get(role)
    if (known && Date.now() - known.madeAt < tokenReuseMs) return known.token
    const token = sign({ kind: 'service', sub: self }, role, tokenLifeMs)
    tokens.set(role, { token, madeAt: Date.now() })
    return token
  }

  const url = (role: RoleName) => {
    const found = urls.get(role)
    if (!found) throw new Fault('peer/absent', { status: 503, text: `The role ${role} is not up.` })
    return found
  }

  const call = async (
    role: RoleName,
    { method = 'GET', path, json, body, type, signal, silentMsMax = 30_000 }: PeerCall,
  ) => {
    const response = await send(new URL(path, url(role)), {
      dispatcher: agent,
      method,
      headers: {
        authorization: `Bearer ${await tokenFor(role)}`,
        ...(json !== undefined && { 'content-type': 'application/json' }),
        ...(type !== undefined && { 'content-type': type }),
      },
      body: json === undefined ? (body ?? null) : JSON.stringify(json),
      headersTimeout: silentMsMax,
      bodyTimeout: silentMsMax,
      ...(signal && { signal }),
    })
    if (response.statusCode > 399) throw await toFault(role, response)
    return response
  }

  return {
    url,
    call,
    json: async <T>(role: RoleName, request: PeerCall) =>
      (await (await call(role, request)).body.json()) as T,
  }
}

async function toFault(role: RoleName, response: PeerResponse): Promise<Fault> {
  const text = await response.body.text()
  const { code = 'peer/failed', message = `The role ${role} answered ${response.statusCode}.` } =
    readError(text)
  return new Fault(code, { status: response.statusCode, text: message })
}

function readError(text: string): { code?: string; message?: string } {
  try {
    return JSON.parse(text) as { code?: string; message?: string }
  } catch {
    return {} // Not ours: the status alone must do.
  }
}
