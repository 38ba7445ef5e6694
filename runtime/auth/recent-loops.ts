import { request as send } from 'undici'
import type { Logger } from '#kernel/log.ts'
import type { RoleName, Signer, UserClaims } from '#kernel/tokens.ts'
import type { Loop, Page } from '../spool/api.ts'

const loopsMax = 10
const waitMs = 2_000 // The page is to open also when spool hangs.

/** Asks spool in the name of who looks, for it decides who sees which loops. Undefined when it does not answer. */
export const createRecentLoops =
  (sign: Signer, urls: ReadonlyMap<RoleName, URL>, log: Logger) =>
  async (claims: UserClaims): Promise<Loop[] | undefined> => {
    const url = urls.get('spool')
    if (!url) return undefined
    try {
      const { statusCode, body } = await send(new URL(`/api/loops?limit=${loopsMax}`, url), {
        headers: { authorization: `Bearer ${await sign(claims, 'spool', waitMs)}` },
        signal: AbortSignal.timeout(waitMs),
      })
      const page = (await body.json()) as Page<Loop>
      return statusCode === 200 ? page.items.slice(0, loopsMax) : undefined
    } catch (error) {
      log.warn({ error }, 'spool did not tell its loops')
      return undefined
    }
  }
