// Who speaks: short-lived signed tokens between roles, and for sandboxes. Each role signs with its own Ed25519 key;
// a trust list says which key may say what. RFC 7519 (JWT), RFC 8037 (EdDSA).
import { createPrivateKey, createPublicKey, type KeyObject, randomUUID } from 'node:crypto'
import { decodeProtectedHeader, jwtVerify, SignJWT } from 'jose'
import { z } from 'zod'

export const roleNames = ['auth', 'proxy', 'weaver', 'spool', 'threads'] as const
export type RoleName = (typeof roleNames)[number]

const UserClaims = z.object({
  kind: z.literal('user'),
  sub: z.string(),
  org: z.string(),
  role: z.enum(['owner', 'member']),
  /**
   * How the person came in. Only `owner-token` proves somebody who can read the owner's file on this machine;
   * `owner-session` is a browser on this machine that such a person signed in.
   */
  channel: z.enum(['owner-token', 'owner-session', 'session', 'key']),
  /** Of the API key that the person came in with. */
  team: z.string().optional(),
})
const ServiceClaims = z.object({ kind: z.literal('service'), sub: z.enum(roleNames) })
const SandboxClaims = z.object({
  kind: z.literal('sandbox'),
  /** The sandbox's id. The token is good on that sandbox's own line alone. */
  sub: z.string(),
  org: z.string(),
  user: z.string(),
  /** Of whoever started the loop. */
  team: z.string().optional(),
  loop: z.string(),
  pass: z.int(),
  attempt: z.int(),
  /** The one model the loop names, and the provider where the loop pins one. */
  model: z.string(),
  provider: z.string().optional(),
  /** What this pass may still spend; absent = no cap. Nano-dollars, and tokens in and out together. */
  nanoUsdMax: z.int().optional(),
  tokensMax: z.int().optional(),
})
const Claims = z.discriminatedUnion('kind', [UserClaims, ServiceClaims, SandboxClaims])
export type UserClaims = z.infer<typeof UserClaims>
export type ServiceClaims = z.infer<typeof ServiceClaims>
export type SandboxClaims = z.infer<typeof SandboxClaims>
export type Claims = z.infer<typeof Claims>

// Which role may say what: auth speaks for people, weaver for sandboxes, each role for itself.
const mayIssue: Readonly<Record<Claims['kind'], (issuer: RoleName, claims: Claims) => boolean>> = {
  user: (issuer) => issuer === 'auth',
  sandbox: (issuer) => issuer === 'weaver',
  service: (issuer, claims) => claims.sub === issuer,
}

export type Signer = (claims: Claims, audience: RoleName, lifeMs: number) => Promise<string>

/** Signs as one role. `pem` is a PKCS #8 Ed25519 private key. */
export function createSigner(role: RoleName, pem: string): Signer {
  const key = createPrivateKey(pem)
  return (claims, audience, lifeMs) => {
    const { sub, ...rest } = claims
    return new SignJWT(rest)
      .setProtectedHeader({ alg: 'EdDSA', kid: role })
      .setSubject(sub)
      .setIssuer(role)
      .setAudience(audience)
      .setJti(randomUUID())
      .setIssuedAt()
      .setExpirationTime(Math.floor((Date.now() + lifeMs) / 1_000))
      .sign(key)
  }
}

const RoleNames = z.enum(roleNames)
const knownMax = 100 // 2.5 KB each; forgotten all at once, for checking one again takes a tenth of a millisecond.

export type Verifier = (token: string) => Promise<Claims | undefined>

/** Public keys by role, as PEM (SPKI). */
export type Trust = Readonly<Record<RoleName, string>>

/**
 * Checks tokens meant for one audience. Answers undefined for whatever is wrong, without saying what.
 * **Limits.** Clocks may differ by 5 s. A token is good until it expires: what must end sooner has a second check.
 */
export function createVerifier(audience: RoleName, trust: Trust): Verifier {
  const keys = new Map<RoleName, KeyObject>(
    roleNames.map((role) => [role, createPublicKey(trust[role])]),
  )
  // Roles send the same token for 30 s: its signature need be checked but once. Expiry is checked each time.
  const known = new Map<string, { claims: Claims; expiresMs: number }>()
  return async (token) => {
    const hit = known.get(token)
    if (hit && Date.now() < hit.expiresMs) return hit.claims
    try {
      const role = RoleNames.parse(decodeProtectedHeader(token).kid)
      const options = { issuer: role, audience, algorithms: ['EdDSA'], clockTolerance: 5 }
      const { payload } = await jwtVerify(token, keys.get(role)!, options)
      const claims = Claims.parse(payload)
      if (!mayIssue[claims.kind](role, claims)) return undefined
      if (known.size >= knownMax) known.clear()
      known.set(token, { claims, expiresMs: (payload.exp ?? 0) * 1_000 })
      return claims
    } catch {
      return undefined // Every cause looks alike from outside, on purpose.
    }
  }
}
