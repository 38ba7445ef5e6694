// Who makes a model call: a person's or program's API key or a role's token on the public port, or a sandbox on its own line.
import { decodeJwt } from 'jose'
import type { SandboxClaims, Verifier } from '#kernel/tokens.ts'
import type { Spender } from './budgets/match.ts'
import type { RawHeaders } from './exchange.ts'
import { findHeader } from './headers.ts'
import { type Keys, keyPrefix } from './keys.ts'
import { Refusal } from './refusal.ts'

export type Caller = {
  org: string
  user: string
  /** The API key's id. */
  key: string | null
  /** The API key's, or that of the key that started the loop. */
  team: string | null
  sandbox: SandboxClaims | null
}

/** `line` is the sandbox whose line the call came over; undefined = the public port. */
export type Identify = (
  credential: string,
  line: string | undefined,
  headers: RawHeaders,
) => Caller | Promise<Caller>

/** A role belongs to no organisation: it says for which it calls. */
export const orgHeader = 'x-treadle-org'

// One a sandbox, 2.5 KB each. Those of ended sandboxes leave soon; one that comes back is verified again, a tenth of a
// millisecond.
const tokensMax = 500
const unusedMsMax = 60_000

/**
 * **Security.** The two doors share no credential: a sandbox's token is good on that sandbox's line alone, so a stolen
 * one is worth nothing elsewhere, and neither an API key nor a role's token works from inside a sandbox.
 */
export function createIdentify(keys: Keys, verify: Verifier, now: () => Date): Identify {
  // The longest unused first: a Map keeps the order of insertion.
  const verified = new Map<string, { caller: Caller; untilMs: number; usedMs: number }>()

  const identifyLine = (token: string, line: string): Caller | Promise<Caller> => {
    const known = verified.get(token)
    if (!known) return verifyLine(token, line)
    verified.delete(token)
    known.usedMs = now().getTime()
    if (known.untilMs <= known.usedMs) throw new Refusal('credential/refused')
    verified.set(token, known)
    return assertLine(known.caller, line)
  }

  const verifyLine = async (token: string, line: string): Promise<Caller> => {
    const claims = await verify(token)
    if (claims?.kind !== 'sandbox') throw new Refusal('credential/refused')
    const { org, user, team = null } = claims
    const caller: Caller = { org, user, key: null, team, sandbox: claims }
    const usedMs = now().getTime()
    forgetUnused(usedMs)
    verified.set(token, { caller, untilMs: (decodeJwt(token).exp ?? 0) * 1_000, usedMs })
    return assertLine(caller, line)
  }

  const forgetUnused = (nowMs: number) => {
    for (const [token, { usedMs }] of verified) {
      if (nowMs - usedMs < unusedMsMax && verified.size < tokensMax) return
      verified.delete(token)
    }
  }

  const identifyRole = async (token: string, headers: RawHeaders): Promise<Caller> => {
    const claims = await verify(token)
    if (claims?.kind !== 'service') throw new Refusal('credential/refused')
    const org = findHeader(headers, orgHeader)
    if (!org) throw new Refusal('credential/refused', `A role says for whom, in ${orgHeader}.`)
    return { org, user: `role:${claims.sub}`, key: null, team: null, sandbox: null }
  }

  return (credential, line, headers) => {
    if (line !== undefined) return identifyLine(credential, line)
    if (!credential.startsWith(keyPrefix)) return identifyRole(credential, headers)
    const { id, org, user, team } = keys.check(credential)
    return { org, user, key: id, team, sandbox: null }
  }
}

function assertLine(caller: Caller, line: string): Caller {
  if (caller.sandbox?.sub !== line) throw new Refusal('credential/refused')
  return caller
}

/** Whose budgets its calls of a model count in. */
export const toSpender = ({ org, user, key, team, sandbox }: Caller, model: string): Spender => ({
  org,
  team,
  user,
  key,
  loop: sandbox?.loop ?? null,
  sandbox: sandbox?.sub ?? null,
  model,
})
