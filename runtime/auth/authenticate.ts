// Whose request it is: the owner's token, a key, or a session. Nothing else opens the front door: tokens between
// roles have their own audience, and are read on internal routes alone.
import type { IncomingMessage } from 'node:http'
import type { UserClaims } from '#kernel/tokens.ts'
import type { Denials } from './denials.ts'
import { fault } from './errors.ts'
import { type Keys, keyPrefix } from './keys.ts'
import { ownerTokenPrefix } from './owner-token.ts'
import { hashOf } from './secret-text.ts'
import { readCookie, type Sessions } from './sessions.ts'

export const firstOrg = 'default'
export const firstUser = 'owner'

const owner: UserClaims = {
  kind: 'user',
  sub: firstUser,
  org: firstOrg,
  role: 'owner',
  channel: 'owner-token',
}

/** Throws `auth/absent` without a credential, and one and the same `auth/refused` for whatever is wrong with it. */
export type Authenticate = (request: IncomingMessage) => Promise<UserClaims>

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
    const claims = kind === 'key' ? await keys.use(text) : await sessions.find(hash)
    if (!claims) throw fault('auth/refused')
    denials.prove(hash)
    return claims
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

export const addressOf = (request: IncomingMessage) => request.socket.remoteAddress ?? 'unknown'
