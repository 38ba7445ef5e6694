// What every request passes before anybody asks who sends it: our name, our origin, a plain path.
import type { IncomingMessage } from 'node:http'
import type { RequestHandler, Response } from 'express'
import { localOrigins } from './direct.ts'
import { fault } from './errors.ts'

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
const readingMethods = new Set(['GET', 'HEAD', 'OPTIONS'])
const bodyMethods = new Set(['POST', 'PUT', 'PATCH'])

/** Throws unless the request may come in; answers the origin of ours that it was sent to. */
export type Gate = (request: IncomingMessage) => string

/** @param publicUrls Origins beside this machine's own, where a proxy or tunnel brings requests from. */
export function createGate(publicUrls: readonly string[]): Gate {
  return (request) => {
    assertPlain(request)
    const origin = ownOriginOf(request, publicUrls)
    assertSameOrigin(request, origin)
    return origin
  }
}

/** The headers of every answer; a page widens the policy for itself. */
export const withGate =
  (gate: Gate): RequestHandler =>
  (request, response, next) => {
    response.setHeaders(safeHeaders)
    response.locals.origin = gate(request)
    next()
  }

/** The origin of ours that the request was sent to. */
export const originOf = (response: Response) => response.locals.origin as string

// Nothing that a role or a sandbox makes us answer is ever run, framed or sniffed as a page.
const safeHeaders = new Map([
  ['content-security-policy', "default-src 'none'; frame-ancestors 'none'"],
  ['x-content-type-options', 'nosniff'],
  ['cross-origin-resource-policy', 'same-origin'],
  // Not no-referrer: with it a browser sends `Origin: null` with our own forms. https://fetch.spec.whatwg.org/#append-a-request-origin-header
  ['referrer-policy', 'same-origin'],
  ['cache-control', 'no-store'],
])

// Segments of RFC 3986 characters. An encoded dot, slash, backslash, percent or control character could mean another path to
// whoever decodes it next; guarded by smuggling.test.ts.
export const plainPath =
  /^(\/(?!\.{1,2}(?:\/|$))(?:[\w.~!$&'()*+,;=:@-]|%(?!2[5ef]|5c|[01]|7f)[0-9a-f]{2})+)*\/?$/i

function assertPlain(request: IncomingMessage): void {
  const { method = '', url = '', headers } = request
  if (!methods.has(method)) throw fault('auth/method')
  const [path = ''] = url.split('?', 1)
  if (!path.startsWith('/') || !plainPath.test(path)) throw fault('auth/path')
  const coding = headers['transfer-encoding']
  // RFC 9112 6.1: what we can't frame for the next hop, or what it would not expect, is a way to smuggle a request.
  if (coding !== undefined && (coding !== 'chunked' || !bodyMethods.has(method))) {
    throw fault('auth/body')
  }
}

const hostOnce = (raw: readonly string[]) =>
  raw.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host').length === 1

/** DNS rebinding: a page of any site can have its own name point to 127.0.0.1, but not our name in Host. */
function ownOriginOf(request: IncomingMessage, publicUrls: readonly string[]): string {
  const host = request.headers.host?.toLowerCase()
  const found = [...localOrigins(request), ...publicUrls].find(
    (origin) => new URL(origin).host === host,
  )
  if (!found || !hostOnce(request.rawHeaders)) throw fault('auth/host', { detail: host ?? 'none' })
  return found
}

/**
 * Browsers name the origin of a page that asks for a change, and of any WebSocket. A cookie without it comes from no
 * browser of this decade. Other ports of this machine are another origin, though the same site to SameSite.
 */
function assertSameOrigin({ method = '', headers }: IncomingMessage, own: string): void {
  const { origin, cookie, upgrade, authorization } = headers
  if (readingMethods.has(method) && !upgrade) return
  const isFine = origin === undefined ? !cookie || authorization !== undefined : origin === own
  if (!isFine) throw fault('auth/origin', { detail: origin ?? 'none' })
}
