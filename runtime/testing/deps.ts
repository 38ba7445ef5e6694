import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Access } from '#kernel/access.ts'
import { openDatabase } from '#kernel/db.ts'
import { createLog } from '#kernel/log.ts'
import { createPeers } from '#kernel/peers.ts'
import type { RoleDeps } from '#kernel/role.ts'
import {
  type Claims,
  createSigner,
  createVerifier,
  type RoleName,
  roleNames,
  type ServiceClaims,
  type Signer,
  type Trust,
  type UserClaims,
} from '#kernel/tokens.ts'
import type { TestPostgres } from './postgres.ts'

const pairs = new Map(
  roleNames.map((role) => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    return [role, { pem, public: publicKey.export({ type: 'spki', format: 'pem' }).toString() }]
  }),
)

/** One key pair a role, made for this process: every test role trusts the others. */
export const testTrust = Object.fromEntries(
  roleNames.map((role) => [role, pairs.get(role)!.public]),
) as Trust
export const testSigner = (role: RoleName): Signer => createSigner(role, pairs.get(role)!.pem)

export const userClaims = (overrides: Partial<UserClaims> = {}): UserClaims => ({
  kind: 'user',
  sub: 'owner',
  org: 'default',
  role: 'owner',
  channel: 'owner-token',
  ...overrides,
})
export const serviceClaims = (role: RoleName): ServiceClaims => ({ kind: 'service', sub: role })

const issuers = {
  user: () => 'auth',
  sandbox: () => 'weaver',
  service: (claims: Claims) => claims.sub as RoleName,
} as const

/** A token as its rightful issuer would make it. */
export const tokenFor = (claims: Claims, audience: RoleName, lifeMs = 60_000): Promise<string> =>
  testSigner(issuers[claims.kind](claims) as RoleName)(claims, audience, lifeMs)

export const allowAll: Access = {
  decide: () => ({ allowed: true, reasons: [], errors: [] }),
  assert: () => {},
}

export type TestDeps = RoleDeps &
  AsyncDisposable & {
    sign: Signer
    urls: Map<RoleName, URL>
    /** What a further process needs to be this role. */
    identity: { databaseUrl: string; pem: string; trust: Trust }
    /** For this role, unless another audience is named. */
    tokenFor(claims: Claims, audience?: RoleName): Promise<string>
  }

type Options = {
  postgres: TestPostgres
  urls?: Map<RoleName, URL>
  access?: Access
  now?: () => Date
  log?: RoleDeps['log']
}

/** What a role needs to start in a test: its schema migrated, a folder of its own, peers over `urls`. */
export async function createTestDeps(role: RoleName, options: Options): Promise<TestDeps> {
  const {
    postgres,
    urls = new Map(),
    now = () => new Date(),
    log = createLog('silent', process.stderr),
  } = options
  await postgres.migrate(role)
  const db = await openDatabase(postgres.url(role))
  const folder = mkdtempSync(join(tmpdir(), `${role}-`))
  const sign = testSigner(role)
  return {
    log,
    now,
    db,
    folder,
    sign,
    urls,
    identity: { databaseUrl: postgres.url(role), pem: pairs.get(role)!.pem, trust: testTrust },
    verify: createVerifier(role, testTrust),
    peers: createPeers(role, sign, urls),
    access: options.access ?? (await realAccess(log)),
    tokenFor: (claims, audience = role) => tokenFor(claims, audience),
    async [Symbol.asyncDispose]() {
      await db.end()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function realAccess(log: RoleDeps['log']): Promise<Access> {
  const { createAccess } = await import('#kernel/access.ts')
  return createAccess(log, new URL('../../policies/access/', import.meta.url))
}
