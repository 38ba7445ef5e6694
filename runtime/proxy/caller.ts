// Who makes a model call: a person's or program's API key on the public port, or a sandbox on its own line.
import { decodeJwt } from 'jose'
import type { SandboxClaims, Verifier } from '#kernel/tokens.ts'
import { type Keys, keyPrefix } from './keys.ts'
import { Refusal } from './refusal.ts'

export type Caller = {
  org: string
  user: string
  /** The API key's id. */
  key: string | null
  sandbox: SandboxClaims | null
}

/** `line` is the sandbox whose line the call came over; undefined = the public port. */
export type Identify = (credential: string, line: string | undefined) => Caller | Promise<Caller>

// One a sandbox, 2.5 KB each; the longest unused leave, and are verified again if they come back.
const tokensMax = 500

/**
 * **Security.** The two doors share no credential: a sandbox's token is good on that sandbox's line alone, so a stolen
 * one is worth nothing elsewhere, and no API key works from inside a sandbox.
 */
export function createIdentify(keys: Keys, verify: Verifier, now: () => Date): Identify {
  const verified = new Map<string, { caller: Caller; untilMs: number }>()

  const identifyLine = (token: string, line: string): Caller | Promise<Caller> => {
    const known = verified.get(token)
    if (!known) return verifyLine(token, line)
    if (known.untilMs <= now().getTime()) {
      verified.delete(token)
      throw new Refusal('credential/refused')
    }
    verified.delete(token) // Set again, it is the newest: a Map keeps the order of insertion.
    verified.set(token, known)
    return assertLine(known.caller, line)
  }

  const verifyLine = async (token: string, line: string): Promise<Caller> => {
    const claims = await verify(token)
    if (claims?.kind !== 'sandbox') throw new Refusal('credential/refused')
    const caller: Caller = { org: claims.org, user: claims.user, key: null, sandbox: claims }
    if (verified.size >= tokensMax) verified.delete(verified.keys().next().value!)
    verified.set(token, { caller, untilMs: (decodeJwt(token).exp ?? 0) * 1_000 })
    return assertLine(caller, line)
  }

  return (credential, line) => {
    if (line !== undefined) return identifyLine(credential, line)
    if (!credential.startsWith(keyPrefix)) throw new Refusal('credential/refused')
    const { id, org, user } = keys.check(credential)
    return { org, user, key: id, sandbox: null }
  }
}

function assertLine(caller: Caller, line: string): Caller {
  if (caller.sandbox?.sub !== line) throw new Refusal('credential/refused')
  return caller
}
