// The session's cookie.
import type { IncomingMessage } from 'node:http'

const cookieName = 'treadle_session'

/** The session's token, where the request has exactly one. */
export function readCookie(request: IncomingMessage): string | undefined {
  const pairs = (request.headers.cookie ?? '').split(/; */)
  const found = pairs.filter((pair) => pair.startsWith(`${cookieName}=`))
  return found.length === 1 ? found[0]!.slice(cookieName.length + 1) : undefined
}

/**
 * Lax, not Strict: with Strict a link to a loop, in a chat or a pull request, would open as if signed out. What Lax
 * lets through is a navigation, which changes nothing here; whatever changes something has its origin checked.
 */
export function toCookie(token: string, lifeMs: number, origin: string): string {
  const secure = origin.startsWith('https:') ? '; Secure' : ''
  const seconds = Math.floor(lifeMs / 1_000)
  return `${cookieName}=${token}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${seconds}${secure}`
}
