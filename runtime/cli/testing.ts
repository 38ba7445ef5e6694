// An instance as the command sees it: a state folder, and a front door on a real socket that answers as told.
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { Loop, LoopEvent, Pass } from '../spool/api.ts'
import { runProgram } from './program.ts'

export type Asked = { method: string; path: string; query: Record<string, string>; body: unknown }
/** An answer's JSON, or what writes it by hand. */
export type Route = object | ((request: IncomingMessage, response: ServerResponse) => void)
export type Routes = Record<string, Route>

export type TestInstance = AsyncDisposable & {
  folder: string
  url: URL
  server: Server
  /** Every request so far, in order. */
  asked: Asked[]
  routes: Routes
}

const token = 'trdo_test'

export async function startInstance(routes: Routes = {}): Promise<TestInstance> {
  const folder = mkdtempSync(join(tmpdir(), 'treadle-cli-'))
  const asked: Asked[] = []
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url!, 'http://localhost')
    const sent = await text(request)
    const method = request.method!
    const query = Object.fromEntries(searchParams)
    asked.push({ method, path: pathname, query, body: sent === '' ? undefined : JSON.parse(sent) })
    if (request.headers.authorization !== `Bearer ${token}`) return answer(response, 401, unknown)
    const route = routes[`${method} ${pathname}`]
    if (route === undefined) answer(response, 404, absent)
    else if (typeof route === 'function') route(request, response)
    else answer(response, 200, route)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  writeInstance(folder, url)
  writeFileSync(join(folder, 'owner.token'), `${token}\n`, { mode: 0o600 })
  const stop = async () => {
    server.closeAllConnections()
    server.close()
    rmSync(folder, { recursive: true })
  }
  return { folder, url, server, asked, routes, [Symbol.asyncDispose]: stop }
}

const unknown = { code: 'caller/unknown', message: 'Say who you are.' }
const absent = { code: 'route/absent', message: 'Nothing answers here.' }

export function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

export function writeInstance(folder: string, url: URL, pid = process.pid): void {
  const instance = { url: url.href, proxyUrl: url.href, pid, startedAt: '2026-01-01T00:00:00.000Z' }
  writeFileSync(join(folder, 'instance.json'), JSON.stringify(instance), { mode: 0o600 })
}

export type Ran = { code: number; stdout: string; stderr: string }

type RunOptions = { hasColours?: boolean; columns?: number; interrupted?: AbortSignal }

/** Runs a command line in this process, on real sockets and streams of its own. */
export async function run(folder: string, argv: string[], options: RunOptions = {}): Promise<Ran> {
  const { hasColours = false, columns, interrupted = new AbortController().signal } = options
  const stdout = Object.assign(new PassThrough(), columns === undefined ? {} : { columns })
  const stderr = new PassThrough()
  const said = Promise.all([text(stdout), text(stderr)])
  const around = {
    stdin: new PassThrough(),
    stdout,
    stderr,
    terminal: { term: 'xterm', isUnicode: true, hasColours },
    stateFolder: folder,
    interrupted,
  }
  const code = await runProgram(argv, around)
  stdout.end()
  stderr.end()
  const [out, err] = await said
  return { code, stdout: out, stderr: err }
}

/** A loop, a pass and its events as the wire carries them. */
export const at = '2026-01-02T03:04:05.678Z'
const usage = { inputTokens: 12_000, cachedTokens: 2_000, outputTokens: 345 }

export const loop: Loop = {
  id: 'l-1',
  org: 'o',
  user: 'owner',
  name: 'fix-login',
  state: 'running',
  ending: null,
  exitCode: null,
  reason: null,
  spec: {
    name: 'fix-login',
    repository: '/srv/app',
    ref: 'HEAD',
    agent: 'builtin',
    model: 'claude-x',
    prompt: 'Fix it.',
    gates: [{ name: 'test', command: 'npm test', timeout: 600_000 }],
    promise: '<promise>COMPLETE</promise>',
    caps: { iterations: 20, time: 7_200_000, idle: 600_000 },
    isolation: 'namespaces',
  },
  retryOf: null,
  isRehearsal: false,
  passes: 1,
  usage,
  costNanoUsd: 42_100_000,
  branch: null,
  bundle: null,
  createdAt: at,
  startedAt: at,
  endedAt: null,
  repository: '/srv/app',
  ref: 'HEAD',
  agent: 'builtin',
  model: 'claude-x',
  caps: { iterations: 20, time: 7_200_000, idle: 600_000 },
  isHeld: false,
  pass: null,
  openItems: null,
  base: null,
}

export const pass: Pass = {
  loop: 'l-1',
  pass: 1,
  attempt: 1,
  phase: 'settled',
  sandbox: 'sb1',
  sha: '1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d',
  filesChanged: 3,
  agentExit: 0,
  agentCut: null,
  lastMessage: 'Not yet.',
  promised: false,
  openItems: 2,
  gates: [
    { name: 'lint', exit: 0, ms: 10, timedOut: false, output: 'fine\n' },
    { name: 'test', exit: 1, ms: 20, timedOut: false, output: '1 failed\n' },
  ],
  usage,
  costNanoUsd: 42_100_000,
  next: 'again',
  reason: 'a gate is red',
  startedAt: at,
  endedAt: at,
  plan: null,
  agentMs: null,
  gatesMs: null,
  hasRecording: false,
  changes: null,
}

const head = { at, loop: 'l-1', name: 'fix-login' }
export const events = {
  started: { ...head, seq: 1, event: 'started', base: pass.sha! },
  phase: { ...head, seq: 2, event: 'phase', pass: 1, phase: 'agent' },
  pass: { ...head, seq: 3, event: 'pass', pass },
  ended: {
    ...{
      ...head,
      seq: 4,
      event: 'ended',
      ending: 'done',
      exitCode: 0,
      reason: 'All gates are green.',
    },
    ...{ branch: 'treadle/fix-login-1', bundle: null, repository: '/srv/app' },
  },
} as const satisfies Record<string, LoopEvent>

export const toLines = (...some: object[]) =>
  some.map((each) => `${JSON.stringify(each)}\n`).join('')

export const usageRow = {
  ...{
    day: '2026-01-02',
    provider: 'claude',
    model: 'm',
    loop: null,
    team: null,
    user: null,
    key: null,
    endUser: null,
    tag: null,
    isRehearsal: false,
    calls: 3,
  },
  usage: {
    inputTokens: 1_500_000,
    cachedTokens: 0,
    cacheWriteTokens: 0,
    outputTokens: 42,
    cacheWrite1hTokens: 0,
    reasoningTokens: 0,
    serverToolCalls: {},
  },
  ...{ costNanoUsd: 1_500_000_000, unpricedCalls: 1, estimatedCalls: 1 },
}
