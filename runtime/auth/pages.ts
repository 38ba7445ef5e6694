// What a browser opens: the status page, and signing in and out.
import { type Request, type Response, Router, urlencoded } from 'express'
import type { DatabasePool } from 'slonik'
import { z } from 'zod'
import { Fault } from '#kernel/fault.ts'
import type { UserClaims } from '#kernel/tokens.ts'
import type { Loop } from '../spool/api.ts'
import type { NoteDenial } from './access-log.ts'
import type { Status } from './api.ts'
import { type Authenticate, addressOf } from './authenticate.ts'
import type { Denials } from './denials.ts'
import { originOf } from './gate.ts'
import type { LoginLinks } from './login-links.ts'
import { sendPage } from './page.ts'
import { hashOf } from './secret-text.ts'
import { readCookie, type Sessions, toCookie } from './sessions.ts'
import { toDoorPage, toRefusalPage, toSignInPage } from './sign-in-page.ts'
import { insertEvent } from './sql/access-log.ts'
import { toStatusPage } from './status-page.ts'

type Deps = {
  db: DatabasePool
  now: () => Date
  authenticate: Authenticate
  denials: Denials
  loginLinks: LoginLinks
  sessions: Sessions
  noteDenial: NoteDenial
  status: () => Status
  /** The newest ones, or undefined when spool does not answer. */
  recentLoops: (claims: UserClaims) => Promise<Loop[] | undefined>
  times: { linkMs: number; sessionMs: number }
}

const form = urlencoded({ extended: false, limit: '4kb' })

export const authPages = (deps: Deps) =>
  Router({ caseSensitive: true })
    .get('/', (request, response) => showStatus(deps, request, response))
    .get('/auth/sign-in', (request, response) => {
      const code = typeof request.query.code === 'string' ? request.query.code : ''
      sendPage(response, 200, toSignInPage(code))
    })
    .post('/auth/sign-in', form, (request, response) => signIn(deps, request, response))
    .post('/auth/sign-out', (request, response) => signOut(deps, request, response))

async function showStatus(deps: Deps, request: Request, response: Response): Promise<void> {
  try {
    const claims = await deps.authenticate(request)
    const loops = await deps.recentLoops(claims)
    sendPage(response, 200, toStatusPage(claims, deps.status(), loops))
  } catch (error) {
    if (!(error instanceof Fault) || error.status !== 401) throw error
    await deps.noteDenial(error, request)
    sendPage(response, 401, toDoorPage(deps.times.linkMs))
  }
}

const SignIn = z.object({ code: z.string().max(200) })

async function signIn(deps: Deps, request: Request, response: Response): Promise<void> {
  const { denials, loginLinks, times } = deps
  const { code } = SignIn.catch({ code: '' }).parse(request.body)
  const address = addressOf(request)
  try {
    denials.admit(address, hashOf(code))
    const token = await loginLinks.use(code, address)
    response.setHeader('set-cookie', toCookie(token, times.sessionMs, originOf(response)))
    response.redirect(303, '/')
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    await deps.noteDenial(error, request)
    sendPage(response, error.status, toRefusalPage(error.publicMessage, times.linkMs))
  }
}

/** Ends the session of the cookie. What is signed out already is left so. */
async function signOut(deps: Deps, request: Request, response: Response): Promise<void> {
  const token = readCookie(request)
  const claims = token && (await deps.sessions.find(hashOf(token)))
  if (claims) {
    const { org, sub: user, channel } = claims
    const address = addressOf(request)
    await deps.sessions.end(hashOf(token))
    await deps.db.query(insertEvent(deps.now(), { event: 'sign-out', org, user, channel, address }))
  }
  response.setHeader('set-cookie', toCookie('', 0, originOf(response)))
  response.redirect(303, '/')
}
