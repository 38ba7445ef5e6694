import { listen } from '#kernel/http.ts'
import { startRepeating } from '#kernel/repeat.ts'
import type { Role, RoleDeps } from '#kernel/role.ts'
import type { RoleName, Signer } from '#kernel/tokens.ts'
import { createNoteDenial } from './access-log.ts'
import type { LoginLink, Status } from './api.ts'
import { createAuthenticate, firstOrg, firstUser } from './authenticate.ts'
import type { AuthConfig } from './config.ts'
import { createDenials } from './denials.ts'
import { createForward } from './forward.ts'
import { createGate } from './gate.ts'
import { createKeys } from './keys.ts'
import { createLoginLinks } from './login-links.ts'
import { openOwnerToken } from './owner-token.ts'
import { authPages } from './pages.ts'
import { createRecentLoops } from './recent-loops.ts'
import { authRoutes } from './routes.ts'
import { createSessions } from './sessions.ts'
import { insertFirst } from './sql/identities.ts'
import { handleUpgrades } from './upgrade.ts'

export type AuthDeps = RoleDeps & {
  sign: Signer
  /** Where the other roles answer. It may fill up later. */
  urls: ReadonlyMap<RoleName, URL>
  status: () => Status
}
/** `createLoginLink` signs in as the first organisation's owner: for whoever starts the process. */
export type Auth = Role & { createLoginLink(): Promise<LoginLink> }

/** Wires the role. Disposing ends terminals first, then the front door, then writes down the last uses of keys. */
export async function startAuth(config: AuthConfig, deps: AuthDeps): Promise<Auth> {
  const { db, log, now, sign, urls, status, access, verify } = deps
  const { sessionIdleMs: idleMs, sessionMs, loginLinkMs: linkMs, denialsWindowMs } = config
  await using starting = new AsyncDisposableStack()
  await db.query(insertFirst(firstOrg, firstUser))

  const denials = createDenials(config.denialsMax, denialsWindowMs, now)
  const sessions = createSessions(db, { idleMs, lifeMs: sessionMs, now })
  const loginLinks = createLoginLinks(db, { sessions, linkMs, now })
  const keys = createKeys(db, now)
  const gate = createGate(config.publicUrls)
  const isOwnerToken = openOwnerToken(config.ownerTokenFile)
  const authenticate = createAuthenticate({ isOwnerToken, keys, sessions, denials })
  const noteDenial = createNoteDenial({ db, denials, now, log })
  const recentLoops = createRecentLoops(sign, urls, log)
  const times = { linkMs, sessionMs }

  const doors = { authenticate, denials, loginLinks, sessions, noteDenial }
  const pages = authPages({ db, now, status, recentLoops, times, ...doors })
  const forward = createForward(sign, urls)
  const routes = { gate, pages, verify, access, keys, forward, status, denialsWindowMs, ...doors }

  starting.defer(() => keys.writeUses().catch((error) => log.warn({ error }, 'uses were lost')))
  starting.use(startRepeating(() => keys.writeUses(), config.lastUseMs, log))
  const sweep = async () => void (await Promise.all([sessions.sweep(), loginLinks.sweep()]))
  starting.use(startRepeating(sweep, config.sweepMs, log))
  const { url, server } = starting.use(await listen(authRoutes(routes), config.port, log))
  handleUpgrades(server, { gate, authenticate, forward, noteDenial, log })
  starting.use(forward)

  const started = starting.move()
  return {
    url,
    createLoginLink: () => loginLinks.create({ org: firstOrg, user: firstUser }, url.origin),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}
