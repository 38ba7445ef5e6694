// For tests alone: a spool with a real PostgreSQL, a real source repository, and doubles of its peers.
import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Role } from '#kernel/role.ts'
import type { RoleName, UserClaims } from '#kernel/tokens.ts'
import { createTestDeps, type TestDeps, userClaims } from '../../testing/deps.ts'
import { startPostgres, type TestPostgres } from '../../testing/postgres.ts'
import type { Loop, LoopEvent, NewLoopInput, Page, Pass } from '../api.ts'
import type { SpoolConfig } from '../config.ts'
import { startSpool } from '../role.ts'
import { type Doubles, startDoubles } from './doubles.ts'

export const testConfig: SpoolConfig = {
  parallel: 3,
  leaseMs: 1_500,
  pollMs: 100,
  watchMs: 100,
  outageMsMax: 60_000,
  bundleBytesMax: 10 * 1024 ** 2,
  followersMax: 5,
  listenersMax: 25,
  keepMs: null,
  appFolder: null,
  nodePath: null,
}

export type Scene = AsyncDisposable & {
  postgres: TestPostgres
  doubles: Doubles
  deps: TestDeps
  /** A source repository with one commit and a plan of two open items. */
  source: string
  start(config?: Partial<SpoolConfig>): Promise<Role>
  stop(): Promise<void>
  url(): URL
  call(
    method: string,
    path: string,
    body?: unknown,
    claims?: Partial<UserClaims>,
  ): Promise<Response>
  /** A GET whose answer may go on for ever. */
  open(path: string, claims?: Partial<UserClaims>): Promise<{ response: Response; stop(): void }>
  submit(loop?: Partial<NewLoopInput>, claims?: Partial<UserClaims>): Promise<Loop>
  loop(id: string): Promise<Loop>
  passes(id: string): Promise<Pass[]>
  events(id: string): Promise<LoopEvent[]>
  /** Waits for the loop's end. */
  ended(id: string): Promise<Loop>
}

export async function startScene(): Promise<Scene> {
  await using starting = new AsyncDisposableStack()
  const postgres = starting.use(await startPostgres())
  const doubles = starting.use(await startDoubles())
  const urls = new Map<RoleName, URL>([
    ['weaver', doubles.weaver],
    ['proxy', doubles.proxy],
  ])
  const deps = starting.use(await createTestDeps('spool', { postgres, urls }))
  const source = createSource()
  starting.defer(() => rmSync(source, { recursive: true, force: true }))
  let role: Role | undefined
  const stop = async () => {
    await role?.[Symbol.asyncDispose]()
    role = undefined
  }
  starting.defer(stop)

  const call: Scene['call'] = async (method, path, body, claims) =>
    fetch(new URL(path, role!.url), {
      method,
      headers: {
        authorization: `Bearer ${await deps.tokenFor(userClaims(claims))}`,
        'content-type': 'application/json',
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
  const read = async <T>(path: string): Promise<T> => (await (await call('GET', path)).json()) as T
  const owned = starting.move()
  const scene: Scene = {
    postgres,
    doubles,
    deps,
    source,
    stop,
    call,
    url: () => role!.url,
    async start(config) {
      role = await startSpool({ ...testConfig, ...config }, deps)
      return role
    },
    async open(path, claims) {
      const ending = new AbortController()
      const headers = { authorization: `Bearer ${await deps.tokenFor(userClaims(claims))}` }
      const response = await fetch(new URL(path, role!.url), { headers, signal: ending.signal })
      return { response, stop: () => ending.abort() }
    },
    async submit(loop, claims) {
      const response = await call('POST', '/api/loops', newLoop(source, loop), claims)
      const answer = await response.json()
      if (response.status !== 201) throw new Error(JSON.stringify(answer))
      return answer as Loop
    },
    loop: (id) => read(`/api/loops/${id}`),
    passes: (id) => read(`/api/loops/${id}/passes`),
    async events(id) {
      const text = await (await call('GET', `/api/loops/${id}/events`)).text()
      return text
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as LoopEvent)
    },
    async ended(id) {
      return until(async () => {
        const loop = await scene.loop(id)
        return loop.state === 'ended' ? loop : undefined
      })
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
  return scene
}

export const promise = '<promise>COMPLETE</promise>'

/** An agent made of a line of shell. `say TEXT` is its last message; `spend IN OUT NANO` its usage so far. */
export const agent = (script: string) => ({
  command: ['/bin/sh', '-c', `${words}\n${script}`],
  wire: 'anthropic' as const,
})

const words = `
spent='"usage":{"inputTokens":0,"cachedTokens":0,"cacheWriteTokens":0,"outputTokens":0},"costNanoUsd":0'
spend() { spent='"usage":{"inputTokens":'$1',"cachedTokens":0,"cacheWriteTokens":0,"outputTokens":'$2'},"costNanoUsd":'$3; }
record() { printf '{%s,%s}' "$spent" "$1" > "$HOME/new" && mv "$HOME/new" "$HOME/record.json"; }
say() { record '"last":{"text":"'"$1"'"}'; }`

export const newLoop = (repository: string, loop: Partial<NewLoopInput> = {}): NewLoopInput => ({
  name: 'fix',
  repository,
  agent: agent(`say '${promise}'`),
  model: 'rehearsal/test',
  prompt: 'Tick one item of PLAN.md. When all are ticked, say the promise.',
  gates: [{ name: 'test', command: 'true' }],
  isolation: 'none',
  ...loop,
})

export const openPlan = '- [ ] one\n- [ ] two\n'

export function createSource(files: Record<string, string> = { 'PLAN.md': openPlan }): string {
  const folder = mkdtempSync(join(tmpdir(), 'source-'))
  git(folder, 'init', '--quiet', '--initial-branch=main')
  commit(folder, files)
  return folder
}

export function commit(folder: string, files: Record<string, string>): string {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  git(folder, 'add', '--all')
  git(folder, 'commit', '--quiet', '-m', 'a change')
  return git(folder, 'rev-parse', 'HEAD')
}

export function git(folder: string, ...args: string[]): string {
  const who = ['-c', 'user.name=A', '-c', 'user.email=a@example.org', '-c', 'safe.directory=*']
  return execFileSync('git', ['-C', folder, ...who, ...args], { encoding: 'utf8' }).trim()
}

/** Hands a folder to another uid, as a user's clone is to a Treadle that root started. */
export function giveAway(folder: string, uid: number): void {
  chmodSync(folder, 0o755)
  execFileSync('chown', ['-R', `${uid}:${uid}`, folder])
  chownSync(folder, uid, uid)
}

const patienceMs = 60_000 // Of a busy machine.

export async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  const end = performance.now() + patienceMs
  while (performance.now() < end) {
    const seen = await look()
    if (seen !== undefined) return seen
    await sleep(30)
  }
  throw new Error('It did not come in time.')
}

export type { Page }
