// What this role's tests share: a readable folder as the start of treadle makes it, a role on it,
// and a caller.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Access } from '#kernel/access.ts'
import { linkTree } from '#kernel/link-tree.ts'
import type { Claims } from '#kernel/tokens.ts'
import { allowAll, createTestDeps, serviceClaims, type TestDeps } from '../testing/deps.ts'
import { startPostgres, type TestPostgres } from '../testing/postgres.ts'
import type { Exec, ExecResult, NewSandbox, Sandbox } from './api.ts'
import type { WeaverConfig } from './config.ts'
import { startWeaver } from './role.ts'

const repository = fileURLToPath(new URL('../../', import.meta.url))
const linked = [
  'package.json',
  'runtime/pod',
  'runtime/kernel',
  'node_modules/@lydell',
  'node_modules/ws',
]

/** A folder that any uid can pass, with what runs inside sandboxes. */
export function makeReadable(folder: string): string {
  const readable = join(folder, 'readable')
  for (const path of ['node/bin', 'app/runtime', 'app/node_modules']) {
    mkdirSync(join(readable, path), { recursive: true, mode: 0o755 })
  }
  linkTree(process.execPath, join(readable, 'node/bin/node'))
  for (const path of linked) linkTree(join(repository, path), join(readable, 'app', path))
  return readable
}

const mebibyte = 1024 * 1024
// Test files run at once, and each needs users of its own.
let uidBase = 310_000 + (process.pid % 1_000) * 20

export function testConfig(folder: string, overrides: Partial<WeaverConfig> = {}): WeaverConfig {
  uidBase += 1
  return {
    ...{ backend: 'auto', cgroups: 'auto', uidBase, uidCount: 20, warmMax: 0, sandboxesMax: 8 },
    ...{ lifeMsMax: 600_000, startMsMax: 30_000, watchMs: 250 },
    ...{ memoryBytesMax: 512 * mebibyte, processesMax: 128, openFilesMax: 4_096 },
    ...{ diskBytesMax: 64 * mebibyte, diskFilesMax: 20_000, diskReserveBytes: 1 },
    ...{ fileBytesMax: 1024 * mebibyte, temporaryBytesMax: 32 * mebibyte },
    ...{ checkoutBytesMax: 64 * mebibyte, snapshotBytesMax: 64 * mebibyte, lineConnectionsMax: 16 },
    readableFolder: join(folder, 'readable'),
    sandboxFolder: join(folder, 'sandboxes'),
    runFolder: join(folder, 'run'),
    lineSocket: join(folder, 'line.sock'),
    ...overrides,
  }
}

export type TestWeaver = AsyncDisposable & {
  url: URL
  deps: TestDeps
  config: WeaverConfig
  postgres: TestPostgres
  call(method: string, path: string, body?: unknown, claims?: Claims): Promise<Response>
  create(overrides?: Partial<NewSandbox>): Promise<Sandbox>
  exec(id: string, script: string, more?: Partial<Exec>): Promise<ExecResult>
  remove(id: string): Promise<void>
  /** Ends this role, and starts another on the same state after `meanwhile`. */
  restart(meanwhile?: () => Promise<void>): Promise<void>
}

export const newSandbox: NewSandbox = {
  ...{ org: 'default', user: 'owner', purpose: 'agent', isolation: 'namespaces' },
  ...{ loop: 'loop-1', pass: 1, attempt: 1 },
}

type Options = { config?: Partial<WeaverConfig>; access?: Access; now?: () => Date }

export async function startTestWeaver({
  config: overrides,
  access = allowAll,
  now,
}: Options = {}): Promise<TestWeaver> {
  await using owned = new AsyncDisposableStack()
  const folder = mkdtempSync(join(tmpdir(), 'weaver-'))
  chmodSync(folder, 0o711)
  owned.defer(() => rmSync(folder, { recursive: true, force: true }))
  makeReadable(folder)
  const postgres = owned.use(await startPostgres())
  const deps = owned.use(await createTestDeps('weaver', { postgres, access, ...(now && { now }) }))
  const config = testConfig(folder, overrides)
  let role = await startWeaver(config, deps)
  owned.defer(() => role[Symbol.asyncDispose]())

  const call: TestWeaver['call'] = async (method, path, body, claims = serviceClaims('spool')) =>
    fetch(new URL(path, role.url), {
      method,
      headers: {
        authorization: `Bearer ${await deps.tokenFor(claims)}`,
        ...(body !== undefined &&
          !(body instanceof Uint8Array) && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: body instanceof Uint8Array ? body : JSON.stringify(body) }),
    } as RequestInit)
  const answered = async <T>(response: Response): Promise<T> => {
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
    return (await response.json()) as T
  }
  const all = owned.move()
  return {
    get url() {
      return role.url
    },
    deps,
    config,
    postgres,
    call,
    create: async (asked) =>
      answered(await call('POST', '/api/sandboxes', { ...newSandbox, ...asked })),
    exec: async (id, script, more) =>
      answered(
        await call('POST', `/api/sandboxes/${id}/exec`, {
          argv: ['sh', '-c', script],
          timeoutMs: 30_000,
          ...more,
        }),
      ),
    async remove(id) {
      const response = await call('DELETE', `/api/sandboxes/${id}`)
      if (response.status !== 204) throw new Error(`${response.status} ${await response.text()}`)
    },
    async restart(meanwhile) {
      await role[Symbol.asyncDispose]()
      await meanwhile?.()
      role = await startWeaver(config, deps)
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

/** Waits for it, because the role compiles the daemon behind walls of its own while it starts. */
export async function assertNoFolders({ config }: TestWeaver): Promise<void> {
  const left = () => [...readdirSync(config.sandboxFolder), ...readdirSync(config.runFolder)]
  for (let look = 0; look < 100 && left().length > 3; look += 1) await sleep(50)
  assert.deepEqual(left(), ['code-cache', 'etc', 'pipes'])
}

/** A repository of one commit, as a bundle. */
export function makeBundle(folder: string, files: Readonly<Record<string, string>>) {
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=T', '-c', 'user.email=t@localhost', ...args], {
      cwd: folder,
    })
  git('init', '--quiet', '--initial-branch=main', '.')
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  git('add', '--all')
  git('commit', '--quiet', '--message', 'first')
  const sha = git('rev-parse', 'HEAD').toString().trim()
  git('bundle', 'create', '--quiet', 'all.bundle', 'HEAD', 'main')
  return { sha, bundle: readFileSync(join(folder, 'all.bundle')) }
}
