// The gateways that are measured side by side, each in front of the same upstream, each a process tree of its own.
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { MadeKey } from '../auth/api.ts'
import { startAppliance } from '../testing/appliance.ts'
import { findFreePort } from './free-port.ts'
import { installPortkey } from './portkey.ts'
import { pin, readFirstLine, startProgram } from './processes.ts'
import { toSmallBody } from './requests.ts'

export type Peer = {
  name: string
  url: string
  headers: readonly (readonly [string, string])[]
  /** Root of its processes; null = none, the load reaches the upstream itself. */
  pid: number | null
  /** True for the one that goes on working when the last answer is out. */
  isTreadle: boolean
}
type PlainPeer = Omit<Peer, 'isTreadle' | 'headers'> & Partial<Peer>

const clientKey = 'sk-client'
const toPeer = (peer: PlainPeer): Peer => ({
  headers: [['x-api-key', clientKey]],
  isTreadle: false,
  ...peer,
})

export const toDirect = (upstream: string): Peer =>
  toPeer({ name: 'direct', url: upstream, pid: null })

const nginxPath = '/usr/sbin/nginx'

/** One worker, as a pipe that swaps the credential and writes a line of its log a request, as every gateway must. */
export async function startNginx(upstream: string, owned: AsyncDisposableStack, core: number) {
  if (!existsSync(nginxPath)) return { missing: `no ${nginxPath}; apt-get install nginx-light` }
  const folder = mkdtempSync(join(tmpdir(), 'bench-nginx-'))
  chmodSync(folder, 0o755) // Its worker is another user where the master is root.
  owned.defer(() => rmSync(folder, { recursive: true, force: true }))
  const port = await findFreePort()
  const file = join(folder, 'nginx.conf')
  writeFileSync(file, toNginxConfig(folder, port, new URL(upstream).host))
  const argv = [nginxPath, '-p', folder, '-e', join(folder, 'error.log'), '-c', file]
  const { pid } = owned.use(startProgram(argv, { core }))
  return toPeer({ name: 'nginx', url: `http://127.0.0.1:${port}`, pid })
}

const toNginxConfig = (folder: string, port: number, upstream: string) => `
worker_processes 1;
daemon off;
pid ${folder}/pid;
events { worker_connections 4096; }
http {
  access_log ${folder}/access.log;
  client_max_body_size 64m;
  client_body_buffer_size 2m;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((use) => `${use}_temp_path ${folder}/${use};`).join(' ')}
  keepalive_requests 100000000;
  upstream mock { server ${upstream}; keepalive 512; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://mock;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header x-api-key "sk-vaulted";
      proxy_buffering off;
      proxy_request_buffering off;
    }
  }
}`

/** A program of this folder: it takes the upstream, and prints where it listens. */
export async function startFloor(
  name: 'floor-http' | 'floor-undici' | 'floor-lane' | 'mock-upstream',
  upstream: string,
  owned: AsyncDisposableStack,
  core: number,
) {
  const path = fileURLToPath(new URL(`./${name}.ts`, import.meta.url))
  const program = owned.use(startProgram([process.execPath, path, upstream], { core }))
  const url = await readFirstLine(program)
  return toPeer({ name: name.replace('floor-', 'node-'), url, pid: program.pid })
}

export async function startPortkey(upstream: string, owned: AsyncDisposableStack, core: number) {
  const installed = installPortkey()
  if ('missing' in installed) return installed
  const port = await findFreePort()
  const argv = [process.execPath, installed.server, '--headless', `--port=${port}`]
  const program = owned.use(startProgram(argv, { core, stderr: 'ignore' }))
  program.child.stdout!.resume() // Its greeting.
  const headers = [
    ['x-api-key', clientKey],
    ['x-portkey-provider', 'anthropic'],
    ['x-portkey-custom-host', `${upstream}/v1`],
  ] as const
  return toPeer({ name: 'portkey', url: `http://127.0.0.1:${port}`, pid: program.pid, headers })
}

// One key makes all calls here, so many that the breaker would take them for a tight loop: it counts, and lets them pass.
const breakerless = 'proxy:\n  breaker:\n    keyCallsMax: 1000000000\n'

/** The appliance with all its roles, as `npm start` runs it; the client has an API key. */
export async function startTreadle(upstream: string, owned: AsyncDisposableStack, core: number) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  owned.defer(() => rmSync(folder, { recursive: true }))
  const config = join(folder, 'config.yaml')
  writeFileSync(config, breakerless)
  const treadle = owned.use(await startAppliance(`--config=${config}`))
  const { key } = await treadle.client.post<MadeKey>('/api/keys', { name: 'bench' })
  await treadle.client.post('/api/providers', {
    ...{ name: 'mock', kind: 'anthropic', key: 'sk-vaulted', baseUrl: upstream },
    ...{ allowPrivate: true, models: ['claude-sonnet-4-5'] },
  })
  pin(treadle.pid, core)
  const headers = [['x-api-key', key]] as const
  const { proxyUrl: url, pid } = treadle
  return toPeer({ name: 'treadle', url, pid, headers, isTreadle: true })
}

const readyMsMax = 30_000

/** Waits for the first whole answer. */
export async function untilAnswers({ name, url, headers }: Peer): Promise<void> {
  const asked = {
    method: 'POST',
    body: toSmallBody(false),
    headers: Object.fromEntries([...headers, ['content-type', 'application/json']]),
  }
  let last = ''
  for (const end = Date.now() + readyMsMax; Date.now() < end; await sleep(100)) {
    const response = await fetch(`${url}/v1/messages`, asked).catch((error: Error) => error)
    if (response instanceof Response && response.ok) return void (await response.text())
    last =
      response instanceof Response
        ? `${response.status} ${await response.text()}`
        : String(response)
  }
  throw new Error(`${name} does not answer: ${last}`)
}
