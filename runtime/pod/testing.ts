// A real daemon as an ordinary process, for this folder's tests; and repositories to check out in it.
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Pool } from 'undici'
import type { AgentStart, AgentState, ExecResult } from '../weaver/api.ts'
import type { Ready } from './api.ts'

export type Answer<T = unknown> = {
  status: number
  json: T
  bytes: Buffer
  header(name: string): string
}
export type TestPod = AsyncDisposable & {
  daemon: ChildProcess
  ready: Ready
  folder: string
  work: string
  home: string
  socket: string
  call<T = unknown>(method: Method, path: string, body?: unknown): Promise<Answer<T>>
  sh(script: string, timeoutMs?: number): Promise<ExecResult>
  startAgent(script: string, more?: Partial<AgentStart>): Promise<Answer<AgentState>>
  agentEnd(): Promise<AgentState>
}
type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'
type Setting = {
  line?: string
  prefix?: string[]
  flags?: string[]
  /** For a daemon that waits for one; without it standard input ends. */
  firstLine?: string
}

// Many daemons start in one test file; the second one need not strip the types again.
let cache: string | undefined
function codeCache(): string {
  if (cache) return cache
  const made = mkdtempSync(join(tmpdir(), 'pod-cache-'))
  process.once('exit', () => rmSync(made, { recursive: true, force: true }))
  cache = made
  return made
}

export async function startPod({
  line,
  prefix = [],
  flags = [],
  firstLine,
}: Setting = {}): Promise<TestPod> {
  const folder = mkdtempSync(join(tmpdir(), 'pod-test-'))
  const [work, home, socket] = ['work', 'home', 'pod.sock'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  for (const made of [work, home]) mkdirSync(made)
  const main = fileURLToPath(new URL('./main.ts', import.meta.url))
  const named = [
    ...['--socket', socket, '--work', work, '--home', home],
    ...(line ? ['--line', line] : []),
  ]
  const [file, ...args] = [...prefix, process.execPath, main, ...named, ...flags]
  const daemon = spawn(file!, args, {
    env: {
      PATH: process.env.PATH,
      LANG: 'C.UTF-8',
      TMPDIR: folder,
      PLATFORM_SECRET: 'canary',
      NODE_COMPILE_CACHE: codeCache(),
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  if (firstLine !== undefined) daemon.stdin!.write(`${firstLine}\n`)
  else if (flags.includes('--active')) daemon.stdin!.end()
  const ready = await readyOf(daemon)
  const pool = new Pool('http://pod', { socketPath: socket, connections: 16 })

  const call = caller(pool)
  return {
    daemon,
    ready,
    folder,
    work,
    home,
    socket,
    call,
    sh: async (script, timeoutMs = 10_000) =>
      (await call<ExecResult>('POST', '/exec', { argv: ['sh', '-c', script], timeoutMs })).json,
    startAgent: (script, more = {}) =>
      call('POST', '/agent', {
        argv: ['sh', '-c', script],
        env: {},
        files: [],
        timeMsMax: 20_000,
        ...more,
      }),
    agentEnd: async () => (await call<AgentState>('GET', '/agent?waitMs=20000')).json,
    async [Symbol.asyncDispose]() {
      const ended = daemon.exitCode === null && daemon.signalCode === null && once(daemon, 'exit')
      daemon.stdin!.end()
      // Node 26 can hang in its own exit (a V8 worker and the collector wait for each other).
      const hurry = setTimeout(() => daemon.kill('SIGKILL'), 10_000)
      await ended
      clearTimeout(hurry)
      await pool.destroy()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function readyOf(daemon: ChildProcess): Promise<Ready> {
  const ended = once(daemon, 'exit').then(([exit]) =>
    Promise.reject(new Error(`ended with ${exit}`)),
  )
  const [words] = (await Promise.race([once(daemon.stdout!, 'data'), ended])) as [Buffer]
  return JSON.parse(words.toString().slice('ready '.length)) as Ready
}

const caller =
  (pool: Pool): TestPod['call'] =>
  async (method, path, body) => {
    const isBytes = Buffer.isBuffer(body)
    const answer = await pool.request({
      method,
      path,
      headers: isBytes ? {} : { 'content-type': 'application/json' },
      body: isBytes || body === undefined ? (body ?? null) : JSON.stringify(body),
    })
    const bytes = Buffer.from(await answer.body.arrayBuffer())
    const isJson = String(answer.headers['content-type']).includes('json')
    return {
      status: answer.statusCode,
      json: isJson ? JSON.parse(bytes.toString()) : undefined,
      bytes,
      header: (name) => String(answer.headers[name]),
    }
  }

export const git = (cwd: string, ...args: string[]): string =>
  execFileSync('git', args, {
    cwd,
    encoding: 'utf8',
    env: gitEnv,
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim()

const gitEnv = {
  PATH: process.env.PATH,
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_SYSTEM: '/dev/null',
  ...Object.fromEntries(
    ['AUTHOR', 'COMMITTER'].flatMap((who) => [
      [`GIT_${who}_NAME`, 'Test'],
      [`GIT_${who}_EMAIL`, 'test@localhost'],
    ]),
  ),
}

export type Repository = { folder: string; sha: string; bundle: Buffer }

/** A repository of one commit with these files, and its bundle. */
export function makeRepository(folder: string, files: Record<string, string>): Repository {
  mkdirSync(folder)
  git(folder, 'init', '-q', '-b', 'main')
  for (const [path, content] of Object.entries(files)) write(join(folder, path), content)
  git(folder, 'add', '--all')
  git(folder, 'commit', '-q', '-m', 'Start')
  git(folder, 'bundle', 'create', '-q', '../base.bundle', 'main')
  const bundle = readFileSync(join(folder, '../base.bundle'))
  return { folder, sha: git(folder, 'rev-parse', 'HEAD'), bundle }
}

export function write(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
}

/** Whether a process lives; a zombie doesn't. */
export function isAlive(id: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${id}/status`, 'utf8'))
  } catch {
    return false // Without a folder in /proc it is gone.
  }
}

/** Tries until it holds, for five seconds. */
export async function until<T>(look: () => T | Promise<T>): Promise<T> {
  for (let tried = 0; ; tried += 1) {
    try {
      const seen = await look()
      if (seen) return seen
    } catch (error) {
      if (tried === 100) throw error
    }
    assert.ok(tried < 100, 'it never held')
    await sleep(50)
  }
}
