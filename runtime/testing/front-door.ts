import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { RoleName } from '#kernel/tokens.ts'
import type { LoginLink } from '../auth/api.ts'
import type { AuthConfig } from '../auth/config.ts'
import { type Auth, startAuth } from '../auth/role.ts'
import type { Instance } from '../auth/status.ts'
import { createTestDeps, type TestDeps } from './deps.ts'
import { startPostgres, type TestPostgres } from './postgres.ts'

type CallOptions = {
  key?: string
  cookie?: string
  headers?: Record<string, string>
  json?: unknown
  body?: string
}

export type FrontDoor = AsyncDisposable & {
  url: URL
  deps: TestDeps
  postgres: TestPostgres
  ownerToken: string
  urls: Map<RoleName, URL>
  /** Time as the role sees it goes on by so much. */
  pass(ms: number): void
  createLoginLink(): Promise<LoginLink>
  /** `headers` may name any, `origin` and `host` too. Follows no redirect. */
  call(method: string, path: string, options?: CallOptions): Promise<Response>
  /** Bytes as they are, for what no client would send. Answers all bytes that came back. */
  raw(lines: readonly string[], body?: string): Promise<string>
  /** Uses a new link up, with headers and fields of one's own. */
  signInWith(headers?: Record<string, string>, fields?: Record<string, string>): Promise<Response>
  /** Uses a new link up; answers the cookie, as `name=value`. */
  signIn(): Promise<string>
}

/** The front door with a database of its own, and peers where `urls` says. */
export async function startFrontDoor(overrides: Partial<AuthConfig> = {}): Promise<FrontDoor> {
  await using starting = new AsyncDisposableStack()
  const postgres = starting.use(await startPostgres())
  let offsetMs = 0
  const urls = new Map<RoleName, URL>()
  const now = () => new Date(Date.now() + offsetMs)
  const deps = starting.use(await createTestDeps('auth', { postgres, urls, now }))
  const ownerTokenFile = join(deps.folder, 'owner.token')
  const config: AuthConfig = { ...settings, ownerTokenFile, ...overrides }
  const { url, createLoginLink }: Auth = starting.use(
    await startAuth(config, {
      ...deps,
      instance: (): Instance => ({
        version: '0.0.0',
        startedAt: '2026-01-01T00:00:00.000Z',
        url: url.origin,
        proxyUrl: 'http://127.0.0.1:7401',
        roles: [...urls.keys()],
      }),
    }),
  )
  const started = starting.move()

  const call = (method: string, path: string, options: CallOptions = {}) => {
    const { key, cookie, headers, json, body = json && JSON.stringify(json) } = options
    return fetch(new URL(path, url), {
      method,
      redirect: 'manual',
      headers: {
        ...(key && { authorization: `Bearer ${key}` }),
        ...(cookie && { cookie, origin: url.origin }),
        ...(json !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: body as string }),
    })
  }

  const signInWith: FrontDoor['signInWith'] = async (headers = {}, fields = {}) => {
    const code = new URL((await createLoginLink()).url).searchParams.get('code')!
    const body = new URLSearchParams({ code, ...fields }).toString()
    const form = { 'content-type': 'application/x-www-form-urlencoded', origin: url.origin }
    return call('POST', '/auth/sign-in', { body, headers: { ...form, ...headers } })
  }

  return {
    url,
    deps,
    postgres,
    urls,
    createLoginLink,
    call,
    ownerToken: readFileSync(config.ownerTokenFile, 'utf8').trim(),
    pass(ms) {
      offsetMs += ms
    },
    async raw(lines, body = '') {
      const socket = connect(Number(url.port), '127.0.0.1')
      await once(socket, 'connect')
      socket.write(`${[...lines, 'connection: close', '', ''].join('\r\n')}${body}`)
      return text(socket)
    },
    signInWith,
    signIn: async () => cookieOf(await signInWith()),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

/** The cookie that an answer sets, as `name=value`. */
export const cookieOf = (response: Response) =>
  response.headers.getSetCookie()[0]!.split(';', 1)[0]!

const settings: Omit<AuthConfig, 'ownerTokenFile'> = {
  port: 0,
  publicUrls: ['https://treadle.example.org'],
  console: 'off',
  loginLinkMs: 900_000,
  sessionIdleMs: 7 * 86_400_000,
  sessionMs: 30 * 86_400_000,
  lastUseMs: 50,
  sweepMs: 3_600_000,
  denialsMax: 1_000,
  denialsWindowMs: 60_000,
  streamSilentMs: 15_000,
}
