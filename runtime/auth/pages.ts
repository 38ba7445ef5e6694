// What a browser opens: the console's page, and signing in and out.
import { type Request, type Response, Router, urlencoded } from 'express'
import type { DatabasePool } from 'slonik'
import { z } from 'zod'
import { Fault } from '#kernel/fault.ts'
import type { NoteDenial } from './access-log.ts'
import { type Authenticate, addressOf, isProvenSession } from './authenticate.ts'
import { toBrowserName } from './browser-name.ts'
import type { Caller } from './caller.ts'
import { sendConsole, wantsPage } from './console.ts'
import type { ConsoleFiles } from './console-files.ts'
import { readCookie, toCookie } from './cookie.ts'
import type { Denials } from './denials.ts'
import { isDirect } from './direct.ts'
import { fault } from './errors.ts'
import { originOf } from './gate.ts'
import type { LoginLinks } from './login-links.ts'
import { toNextPath } from './next-path.ts'
import { sendPage } from './page.ts'
import { hashOf } from './secret-text.ts'
import type { Sessions } from './sessions.ts'
import {
  toAwayPage,
  toDoorPage,
  toNoConsolePage,
  toRefusalPage,
  toSignInPage,
} from './sign-in-page.ts'
import { insertEvent } from './sql/access-log.ts'
import { isStoreDown } from './store-down.ts'

type Deps = {
  db: DatabasePool
  now: () => Date
  authenticate: Authenticate
  denials: Denials
  loginLinks: LoginLinks
  sessions: Sessions
  noteDenial: NoteDenial
  /** Undefined where the configuration has none. */
  consoleFiles: ConsoleFiles | undefined
  times: { linkMs: number; sessionMs: number }
}

const form = urlencoded({ extended: false, limit: '16kb' })

export const authPages = (deps: Deps) =>
  Router({ caseSensitive: true })
    .get('/{*path}', async (request, response, next) => {
      if (!wantsPage(request)) return next()
      await showConsole(deps, request, response)
    })
    .get('/auth/sign-in', (request, response) => {
      const code = typeof request.query.code === 'string' ? request.query.code : ''
      sendPage(response, 200, toSignInPage(code, toNextPath(request.query.next)))
    })
    .post('/auth/sign-in', form, (request, response) => signIn(deps, request, response))
    .post('/auth/sign-out', (request, response) => signOut(deps, request, response))

async function showConsole(deps: Deps, request: Request, response: Response): Promise<void> {
  const { consoleFiles, times } = deps
  try {
    const caller = await callerOf(deps, request)
    if (consoleFiles) sendConsole(consoleFiles, request, response)
    else sendPage(response, 200, toNoConsolePage(toWho(caller)))
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    await deps.noteDenial(error, request)
    const next = toNextPath(request.originalUrl)
    if (error.status === 401) sendPage(response, 401, toDoorPage(times.linkMs, next))
    else sendPage(response, error.status, toAwayPage(error.publicMessage))
  }
}

/** The page holds nothing of anybody's: whoever was in a moment ago gets it also while the database is away. */
async function callerOf(deps: Deps, request: Request): Promise<Caller | undefined> {
  try {
    return await deps.authenticate(request)
  } catch (error) {
    if (!isStoreDown(error)) throw error
    if (isProvenSession(request, deps.denials)) return undefined
    throw fault('auth/store-down', { cause: error })
  }
}

const toWho = (caller?: Caller) => (caller ? `${caller.claims.sub} of ${caller.claims.org}` : 'You')

const SignIn = z.object({ code: z.string().max(4_000), next: z.unknown().optional() })

async function signIn(deps: Deps, request: Request, response: Response): Promise<void> {
  const { denials, loginLinks, sessions, times } = deps
  const given = SignIn.catch({ code: '' }).parse(request.body ?? {})
  const code = toCode(given.code)
  const next = toNextPath(given.next)
  const address = addressOf(request)
  try {
    denials.admit(address, hashOf(code))
    const browser = toBrowserName(request.headers['user-agent'])
    const token = await loginLinks.use(code, { address, browser, isDirect: isDirect(request) })
    // A browser has one session: what another one left or planted in it ends here.
    const before = readCookie(request)
    if (before) await sessions.end(hashOf(before))
    response.setHeader('set-cookie', toCookie(token, times.sessionMs, originOf(response)))
    response.redirect(303, next)
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    await deps.noteDenial(error, request)
    sendPage(response, error.status, toRefusalPage(error.publicMessage, times.linkMs, next))
  }
}

/** Out of a whole link, as it is pasted, or a code alone. */
const toCode = (text: string) => /[?&]code=([\w-]+)/.exec(text)?.[1] ?? text.trim()

/** Ends the session of the cookie. What is signed out already is left so. */
async function signOut(deps: Deps, request: Request, response: Response): Promise<void> {
  const token = readCookie(request)
  const caller = token && (await deps.sessions.find(hashOf(token), isDirect(request)))
  if (caller) {
    const { org, sub: user, channel } = caller.claims
    const address = addressOf(request)
    await deps.sessions.end(hashOf(token))
    await deps.db.query(insertEvent(deps.now(), { event: 'sign-out', org, user, channel, address }))
  }
  response.setHeader('set-cookie', toCookie('', 0, originOf(response)))
  response.redirect(303, '/')
}
