// Where a vendor has what our routes name. A base URL may be an origin, an origin and a prefix, or end in a version already.
import type { Provider } from './api.ts'

type Kind = Provider['kind']

const version = /^\/v1(?:beta)?(?=\/)/
const endsInVersion = /\/v\d+(?:(?:alpha|beta)\d*)?(?:\/openai)?$/ // The latter is Gemini's, for clients of OpenAI.

/**
 * @param prefix The path of the provider's base URL, without a slash at its end.
 * @param target Path and query as our routes have them, from /v1 or /v1beta on.
 */
export function toUpstreamPath(kind: Kind, prefix: string, target: string): string {
  if (kind === 'zai') return toZaiPath(prefix, target)
  return endsInVersion.test(prefix) ? prefix + target.replace(version, '') : prefix + target
}

const zaiStyle = /\/(?:(?:coding\/)?paas\/v4|anthropic(?:\/v1)?)$/

/** Z.ai's two styles lie beside each other: a base URL of one leads to both. The coding plan has paths of its own. */
function toZaiPath(prefix: string, target: string): string {
  const root = prefix.replace(zaiStyle, '') || '/api'
  if (target.startsWith('/v1/messages')) return `${root}/anthropic${target}`
  const plan = prefix.endsWith('/coding/paas/v4') ? '/coding' : ''
  return `${root}${plan}/paas/v4${target.replace(version, '')}`
}
