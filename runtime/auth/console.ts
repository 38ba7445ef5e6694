// The console's files to browsers: its page to whoever is signed in, its assets to anybody, for they hold no secret.
import { type Request, type RequestHandler, type Response, Router } from 'express'
import type { ConsoleFile, ConsoleFiles } from './console-files.ts'

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "connect-src 'self'", // With it the WebSockets of terminals.
  "img-src 'self' data:",
  "font-src 'self'",
  "style-src 'self'",
  // xterm.js writes its theme and sizes into <style> elements, anew at each change, so that no hash could name them and
  // it takes no nonce. Elements alone: attributes stay forbidden, and nothing here loads from elsewhere.
  "style-src-elem 'self' 'unsafe-inline'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  // No string becomes markup, but by Svelte's own templates and the icons.
  "require-trusted-types-for 'script'",
  'trusted-types svelte-trusted-html treadle-icon',
].join('; ')

export const sendConsole = ({ index }: ConsoleFiles, request: Request, response: Response) => {
  response.setHeader('content-security-policy', policy)
  send(index, request, response)
}

const yearSeconds = 31_536_000 // What has its hash in its name never changes.
const hourSeconds = 3_600

export const consoleAssets = ({ files }: ConsoleFiles) =>
  Router({ caseSensitive: true }).get('/console/{*path}', ((request, response, next) => {
    const path = request.path.slice('/console/'.length)
    const file = files.get(path)
    if (!file) return next()
    const isHashed = path.startsWith('assets/')
    const cached = isHashed ? `max-age=${yearSeconds}, immutable` : `max-age=${hourSeconds}`
    response.setHeader('cache-control', `public, ${cached}`)
    send(file, request, response)
  }) satisfies RequestHandler)

function send({ type, bodies }: ConsoleFile, request: Request, response: Response): void {
  const packed = (['br', 'gzip'] as const).filter((coding) => bodies[coding])
  const coding = packed.find((each) => request.acceptsEncodings(each)) ?? 'identity'
  response.setHeader('content-type', type)
  if (packed.length > 0) response.setHeader('vary', 'accept-encoding')
  if (coding !== 'identity') response.setHeader('content-encoding', coding)
  response.end(bodies[coding])
}

const notPages = /^\/(?:api|auth|internal|console|v\d\w*)(?:\/|$)/

/** A browser's navigation. The root is one whoever asks. */
export const wantsPage = ({ path, headers }: Request) =>
  path === '/' || (!notPages.test(path) && /\btext\/html\b/.test(headers.accept ?? ''))
