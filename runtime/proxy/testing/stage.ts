// The stage of this role's tests: the proxy on free ports, an upstream of our own that does as each test says,
// and stand-ins for auth and threads. Everything over real sockets.
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parse as parseYaml } from 'yaml'
import type { RoleName, SandboxClaims } from '#kernel/tokens.ts'
import type { KeyCheck } from '../../auth/api.ts'
import { createTestDeps, serviceClaims, type TestDeps, userClaims } from '../../testing/deps.ts'
import type { TestPostgres } from '../../testing/postgres.ts'
import type { NewTurn } from '../../threads/api.ts'
import { readTurnLines } from '../../threads/turn-lines.ts'
import type { NewProviderInput, SandboxRecord } from '../api.ts'
import { type ProxyConfig, parseConfig } from '../config.ts'
import { type ProxyRole, startProxy } from '../role.ts'

export const vaultedKey = 'sk-vaulted-canary-7d1f'
export const clientKey = 'trd_client-canary-93ab'

export type Seen = {
  method: string
  url: string
  rawHeaders: string[]
  headers: IncomingMessage['headers']
  body: Buffer
}
type Script = (request: Seen, response: ServerResponse) => void

/** An HTTP server that answers by the script of the moment and remembers what it saw. */
export async function startUpstream() {
  const seen: Seen[] = []
  const sockets = new Set<Socket>()
  const state = {
    script: ((_request, response) => response.end('{}')) as Script,
    aborted: [] as number[],
  }
  const { url, close } = await serve((request, response) => {
    const chunks: Buffer[] = []
    response.once('close', () => {
      if (!response.writableFinished) state.aborted.push(performance.now())
    })
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.once('end', () => {
      const { method, url: path, rawHeaders, headers } = request
      const one = { method: method!, url: path!, rawHeaders, headers, body: Buffer.concat(chunks) }
      seen.push(one)
      state.script(one, response)
    })
  }, sockets)
  return { url, seen, state, sockets, [Symbol.asyncDispose]: close }
}
export type Upstream = Awaited<ReturnType<typeof startUpstream>>

async function serve(handle: RequestListener, sockets = new Set<Socket>()) {
  const server = createServer(handle)
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const close = async () => {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  return { url, close }
}

export const keyCheck = (key: string, more: Partial<KeyCheck> = {}): KeyCheck => ({
  id: 'key-1',
  hash: createHash('sha256').update(key).digest('hex'),
  org: 'default',
  user: 'owner',
  team: null,
  expiresAt: null,
  ...more,
})

/** Stand-ins for the two roles that the proxy calls. */
async function startPeers() {
  const state = {
    keys: [keyCheck(clientKey)],
    turns: [] as NewTurn[],
    threadsStatus: 204,
    /** Threads refuses the next call that comes, with all that is sent beside it. */
    isRefusing: false,
    refused: undefined as string | undefined,
  }
  const isRefused = (turns: readonly NewTurn[]) => {
    if (!state.isRefusing) return false
    state.refused ??= turns[0]!.call
    return turns.some(({ call }) => call === state.refused)
  }
  const answer = (request: IncomingMessage, response: ServerResponse, body: string) => {
    if (request.url === '/internal/keys') return response.end(JSON.stringify(state.keys))
    const turns = readTurnLines(Buffer.from(body)) as NewTurn[]
    const status = isRefused(turns) ? 400 : state.threadsStatus
    if (status < 300) state.turns.push(...turns)
    return response.writeHead(status).end()
  }
  const { url, close } = await serve((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text
    })
    request.once('end', () => answer(request, response, body))
  })
  return { url, state, [Symbol.asyncDispose]: close }
}

type Overrides = { [Key in keyof ProxyConfig]?: unknown }
type StageOptions = {
  postgres: TestPostgres
  config?: Overrides
  log?: TestDeps['log']
  now?: () => Date
  /** Where the other roles answer, when not on this stage. */
  peersUrl?: URL
  /** The role's folder, where another process is to go on with it. */
  folder?: string
}

/** A started proxy with its surroundings. `restart` ends it and starts another on the same folder. */
export async function startStage({
  postgres,
  config: overrides = {},
  peersUrl,
  folder,
  ...more
}: StageOptions) {
  await using owned = new AsyncDisposableStack() // What is half started when it fails would hold its test's process.
  const scratch = mkdtempSync(join(tmpdir(), 'stage-'))
  owned.defer(() => rmSync(scratch, { recursive: true, force: true }))
  const upstream = owned.use(await startUpstream())
  const peers = owned.use(await startPeers())
  const url = peersUrl ?? peers.url
  const urls = new Map([
    ['auth', url],
    ['threads', url],
  ] as const)
  const toPair = ([role, at]: [RoleName, URL]): [RoleName, string] => [role, at.href]
  const made = owned.use(await createTestDeps('proxy', { postgres, urls: new Map(urls), ...more }))
  const deps = { ...made, folder: folder ?? made.folder }
  const config = stageConfig(scratch, overrides)
  const identity = async () => ({ ...made.identity, urls: [...urls].map(toPair), log: null })
  let role: ProxyRole = await startProxy(config, { ...deps, identity })
  owned.defer(() => role[Symbol.asyncDispose]())

  const admin = async (
    method: string,
    path: string,
    body?: unknown,
    claims: Parameters<TestDeps['tokenFor']>[0] = userClaims(),
  ) =>
    fetch(new URL(path, role.url), {
      method,
      headers: {
        authorization: `Bearer ${await deps.tokenFor(claims)}`,
        'content-type': 'application/json',
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  const stage = {
    upstream,
    peers: peers.state,
    deps,
    config,
    admin,
    scratch,
    get url() {
      return role.modelUrl
    },
    get adminUrl() {
      return role.url
    },
    async addProvider(provider: Partial<NewProviderInput> = {}) {
      const plain = {
        name: 'vendor',
        kind: 'anthropic',
        key: vaultedKey,
        baseUrl: upstream.url.href,
        allowPrivate: true,
        models: ['m-1'],
      }
      const response = await admin('POST', '/api/providers', { ...plain, ...provider })
      if (response.status !== 201) throw new Error(await response.text())
    },
    async record(sandbox: string) {
      const response = await admin(
        'GET',
        `/internal/sandboxes/${sandbox}/record`,
        undefined,
        serviceClaims('spool'),
      )
      if (response.status !== 200) throw new Error(await response.text())
      return (await response.json()) as SandboxRecord
    },
    /** `meanwhile` runs while it is down. */
    async restart(meanwhile: () => void = () => {}) {
      await role[Symbol.asyncDispose]()
      meanwhile()
      role = await startProxy(config, { ...deps, identity })
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
  await until(() => isKeyGood(stage.url))
  const kept = owned.move()
  return stage
}
const isKeyGood = async (url: URL) =>
  (await fetch(new URL('/v1/models', url), { headers: { 'x-api-key': clientKey } })).status === 200

export type Stage = Awaited<ReturnType<typeof startStage>>

/** The shipped defaults, on free ports and with files of its own. */
export function stageConfig(scratch: string, overrides: Overrides): ProxyConfig {
  const path = fileURLToPath(new URL('../../../config/defaults.yaml', import.meta.url))
  const { proxy } = parseYaml(readFileSync(path, 'utf8')) as { proxy: object }
  const masterKeyFile = join(scratch, 'master-key')
  writeFileSync(masterKeyFile, randomBytes(32), { mode: 0o600 })
  const own = {
    port: 0,
    lineSocket: join(scratch, 'line.sock'),
    masterKeyFile,
    keysPollMs: '50ms',
    providersPollMs: '50ms',
  }
  const parsed = parseConfig({ ...proxy, ...own, ...overrides })
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems))
  return parsed.value
}

export async function until(isSo: () => boolean | Promise<boolean>, msMax = 5_000): Promise<void> {
  for (const end = Date.now() + msMax; !(await isSo()); await sleep(10)) {
    if (Date.now() > end) throw new Error('it never became so')
  }
}

export const sandboxClaims = (overrides: Partial<SandboxClaims> = {}): SandboxClaims => ({
  kind: 'sandbox',
  sub: 'sb-1',
  org: 'default',
  user: 'owner',
  loop: 'loop-1',
  pass: 1,
  attempt: 1,
  model: 'm-1',
  ...overrides,
})

/** A TCP port that leads to one sandbox's line, as weaver's relay and the pod's forwarder make it. */
export async function startLine(stage: Pick<Stage, 'config'>, sandbox: string) {
  const server = createTcpServer({ allowHalfOpen: true }, (client) => {
    const line = connect({ path: stage.config.lineSocket, allowHalfOpen: true })
    line.write(`TREADLE-LINE 1 ${sandbox}\n`)
    client.pipe(line).pipe(client)
    for (const [one, other] of [
      [client, line],
      [line, client],
    ] as const) {
      one.on('error', () => other.destroy()).once('close', () => other.destroy())
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  return { url, [Symbol.asyncDispose]: async () => void server.close() }
}

/** What a raw client gets back for raw bytes, until the server closes or `done` says it is enough. */
export async function exchange(
  url: URL,
  text: string | Buffer,
  done: (got: string) => boolean = () => false,
): Promise<string> {
  const socket = connect(Number(url.port), url.hostname)
  let got = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    got += chunk
    if (done(got)) socket.destroy()
  })
  socket.on('error', () => {}) // A reset ends it as well.
  socket.write(text)
  await once(socket, 'close')
  return got
}
