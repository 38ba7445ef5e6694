// Whose request it is: the owner's token, a key, or a session. Nothing else opens the front door: tokens between
// roles have their own audience, and are read on internal routes alone.
import type { IncomingMessage } from 'node:http'
import { type Caller, firstOrg, firstUser } from './caller.ts'
import { readCookie } from './cookie.ts'
import type { Denials } from './denials.ts'
import { isDirect } from './direct.ts'
import { fault } from './errors.ts'
import { type Keys, keyPrefix } from './keys.ts'
import { ownerTokenPrefix } from './owner-token.ts'
import { hashOf } from './secret-text.ts'
import type { Sessions } from './sessions.ts'

const owner: Caller = {
  claims: { kind: 'user', sub: firstUser, org: firstOrg, role: 'owner', channel: 'owner-token' },
  session: null,
  key: null,
}

/** Throws `auth/absent` without a credential, and one and the same `auth/refused` for whatever is wrong with it. */
export type Authenticate = (request: IncomingMessage) => Promise<Caller>

type Credentials = {
  isOwnerToken: (given: string) => boolean
  keys: Keys
  sessions: Sessions
  denials: Denials
}

export function createAuthenticate(credentials: Credentials): Authenticate {
  const { isOwnerToken, keys, sessions, denials } = credentials
  return async (request) => {
    const credential = readCredential(request)
    if (!credential) throw fault('auth/absent')
    const { kind, text } = credential
    if (kind === 'owner-token') {
      if (isOwnerToken(text)) return owner
      throw fault('auth/refused')
    }
    const hash = hashOf(text)
    denials.admit(addressOf(request), hash)
    const caller =
      kind === 'key' ? await keys.use(text) : await sessions.find(hash, isDirect(request))
    if (!caller) throw fault('auth/refused')
    denials.prove(hash)
    return caller
  }
}

type Credential = { kind: 'owner-token' | 'key' | 'session'; text: string }

/** A bearer token goes before a cookie, and a wrong one is not made good by a cookie. */
function readCredential(request: IncomingMessage): Credential | undefined {
  const { authorization } = request.headers
  if (authorization === undefined) {
    const text = readCookie(request)
    return text ? { kind: 'session', text } : undefined
  }
  const text = /^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? ''
  if (text.startsWith(ownerTokenPrefix)) return { kind: 'owner-token', text }
  if (text.startsWith(keyPrefix)) return { kind: 'key', text }
  throw fault('auth/refused')
}

/** A session that was good when it was last asked: enough for what holds no data, while the database is away. */
export function isProvenSession(request: IncomingMessage, denials: Denials): boolean {
  if (request.headers.authorization !== undefined) return false
  const text = readCookie(request)
  return text !== undefined && denials.isProven(hashOf(text))
}

export const addressOf = (request: IncomingMessage) => request.socket.remoteAddress ?? 'unknown'
