import { Router } from 'express'
import { listen } from '#kernel/http.ts'
import { startRepeating } from '#kernel/repeat.ts'
import type { Role, RoleDeps } from '#kernel/role.ts'
import type { RoleName, Signer } from '#kernel/tokens.ts'
import { createNoteDenial } from './access-log.ts'
import type { LoginLink } from './api.ts'
import { createAuthenticate } from './authenticate.ts'
import { firstOrg, firstUser } from './caller.ts'
import type { AuthConfig } from './config.ts'
import { consoleAssets } from './console.ts'
import { readConsole } from './console-files.ts'
import { createDenials } from './denials.ts'
import { createForward } from './forward.ts'
import { createGate } from './gate.ts'
import { createKeys } from './keys.ts'
import { createLiveLines } from './live-lines.ts'
import { createLoginLinks } from './login-links.ts'
import { createOrganisations } from './organisations.ts'
import { openOwnerToken } from './owner-token.ts'
import { authPages } from './pages.ts'
import { authRoutes } from './routes.ts'
import { createSessions } from './sessions.ts'
import { insertFirst } from './sql/identities.ts'
import { createStatus, type Instance } from './status.ts'
import { handleUpgrades } from './upgrade.ts'

export type AuthDeps = RoleDeps & {
  sign: Signer
  /** Where the other roles answer. It may fill up later. */
  urls: ReadonlyMap<RoleName, URL>
  instance: () => Instance
}
/** `createLoginLink` signs in as the owner of this machine: for whoever starts the process. */
export type Auth = Role & { createLoginLink(): Promise<LoginLink> }

/** Wires the role. Disposing ends terminals first, then the front door, then writes down the last uses of keys. */
export async function startAuth(config: AuthConfig, deps: AuthDeps): Promise<Auth> {
  const { db, log, now, sign, urls, instance, access, verify } = deps
  const { sessionIdleMs: idleMs, sessionMs, loginLinkMs: linkMs } = config
  const { denialsWindowMs, streamSilentMs } = config
  await using starting = new AsyncDisposableStack()
  const consoleFiles = config.console === 'off' ? undefined : readConsole(config.console)
  await db.query(insertFirst(firstOrg, firstUser))

  const denials = createDenials(config.denialsMax, denialsWindowMs, now)
  const lines = createLiveLines()
  const onChange = ({ id, token_hash }: { id: string; token_hash: string }) => {
    lines.cut([id])
    denials.forget(token_hash)
  }
  const sessions = createSessions(db, { idleMs, lifeMs: sessionMs, now, onChange })
  const organisations = createOrganisations(db, access, sessions)
  const loginLinks = createLoginLinks(db, { sessions, linkMs, now })
  const keys = createKeys(db, now, (id) => lines.cut([id]))
  const gate = createGate(config.publicUrls)
  const isOwnerToken = openOwnerToken(config.ownerTokenFile)
  const authenticate = createAuthenticate({ isOwnerToken, keys, sessions, denials })
  const noteDenial = createNoteDenial({ db, denials, now, log })
  const times = { linkMs, sessionMs }

  const doors = { authenticate, denials, loginLinks, sessions, noteDenial }
  const pages = authPages({ db, now, consoleFiles, times, ...doors })
  const assets = consoleFiles ? consoleAssets(consoleFiles) : Router()
  const forward = createForward({ sign, urls, lines, streamSilentMs })
  const status = createStatus({ instance, urls, db })
  const own = { keys, organisations, status, assets, pages }
  const routes = { gate, verify, access, forward, denialsWindowMs, ...own, ...doors }

  starting.defer(() => keys.writeUses().catch((error) => log.warn({ error }, 'uses were lost')))
  starting.use(startRepeating(() => keys.writeUses(), config.lastUseMs, log))
  const sweep = async () => void (await Promise.all([sessions.sweep(), loginLinks.sweep()]))
  starting.use(startRepeating(sweep, config.sweepMs, log))
  const { url, server } = starting.use(await listen(authRoutes(routes), config.port, log))
  handleUpgrades(server, { gate, authenticate, forward, noteDenial, log })
  starting.use(forward)

  const started = starting.move()
  const firstOwner = { org: firstOrg, user: firstUser, isLocalOwner: true }
  return {
    url,
    createLoginLink: () => loginLinks.create(firstOwner, url.origin),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}
