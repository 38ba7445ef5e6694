// Where a browser goes after it signed in: a page of ours, or the first one.
import { plainPath } from './gate.ts'

const charsMax = 2_000
const notPages = /^\/(?:api|auth|internal|console)(?:\/|$)/i

/** Whatever could mean another origin to a browser (`//x`, `/\x`, tabs, a scheme) is no plain path, so it is `/`. Pure. */
export function toNextPath(given: unknown): string {
  if (typeof given !== 'string' || given.length > charsMax) return '/'
  const [, path = '', query = ''] = /^([^?#]*)(\?[\x21-\x7e]*)?$/.exec(given) ?? []
  if (!path.startsWith('/') || !plainPath.test(path) || notPages.test(path)) return '/'
  return `${path}${query.replaceAll('\\', '%5C')}`
}
