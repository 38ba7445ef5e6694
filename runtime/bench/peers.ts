// The gateways that are measured side by side, each in front of the same upstream, each a process tree of its own.
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { request } from 'undici'
import { findFreePort } from './free-port.ts'
import { installPortkey } from './portkey.ts'
import { cpuMs, memoryMb, readFirstLine, residentKb, startProgram } from './processes.ts'
import { toSmallBody } from './requests.ts'
import type { Treadle } from './treadle.ts'

export type Weight = { main: number; beside: number }
export type Peer = {
  name: string
  url: string
  headers: readonly (readonly [string, string])[]
  /** Of its clients. */
  keys: readonly string[]
  /** CPU so far in milliseconds: of the gateway, and of what works for it. Null = none, the load reaches the upstream itself. */
  weigh: (() => Weight) | null
  memoryMb(): number
  residentKb(): number
  /** The first of the gateway's own processes. */
  pid: number | null
  /** Goes on working when the last answer is out, and keeps books. */
  treadle: Treadle | null
}
/** What a gateway is started with: an upstream for each model, and the processor's core that it has for itself. */
export type Place = {
  upstream: string
  /** The same over TLS, with its authority's certificate. */
  tls: { upstream: string; ca: string; caFile: string }
  owned: AsyncDisposableStack
  core: number
}

const clients = 1_000
const fakeKeys = Array.from(
  { length: clients },
  (_, index) => `sk-client-${String(index).padStart(36, '0')}`,
)
const toPeer = (name: string, url: string, pid: number | null): Peer => ({
  ...{ name, url, pid, headers: [], keys: fakeKeys, treadle: null },
  weigh: pid === null ? null : () => ({ main: cpuMs(pid), beside: 0 }),
  memoryMb: () => (pid === null ? Number.NaN : memoryMb(pid)),
  residentKb: () => (pid === null ? Number.NaN : residentKb(pid)),
})

export const toDirect = ({ upstream }: Place): Peer => toPeer('direct', upstream, null)

const nginxPath = '/usr/sbin/nginx'

/** One worker, as a pipe that swaps the credential and writes a line of its log a request, as every gateway must. */
export async function startNginx({ upstream, tls, owned, core }: Place, over: 'plain' | 'tls') {
  if (!existsSync(nginxPath)) return { missing: `no ${nginxPath}; apt-get install nginx-light` }
  const folder = mkdtempSync(join(tmpdir(), 'bench-nginx-'))
  chmodSync(folder, 0o755) // Its worker is another user where the master is root.
  owned.defer(() => rmSync(folder, { recursive: true, force: true }))
  const port = await findFreePort()
  const file = join(folder, 'nginx.conf')
  const way =
    over === 'tls'
      ? { host: new URL(tls.upstream).host, pass: toTlsPass(tls.caFile) }
      : { host: new URL(upstream).host, pass: 'proxy_pass http://mock;' }
  writeFileSync(file, toNginxConfig(folder, port, way))
  const argv = [nginxPath, '-p', folder, '-e', join(folder, 'error.log'), '-c', file]
  const { pid } = owned.use(startProgram(argv, { core }))
  return toPeer('nginx', `http://127.0.0.1:${port}`, pid)
}

const toTlsPass = (caFile: string) => `
      proxy_pass https://mock;
      proxy_ssl_verify on;
      proxy_ssl_trusted_certificate ${caFile};
      proxy_ssl_name localhost;
      proxy_ssl_server_name on;
      proxy_ssl_protocols TLSv1.2 TLSv1.3;
      proxy_ssl_session_reuse on;`

const toNginxConfig = (folder: string, port: number, way: { host: string; pass: string }) => `
worker_processes 1;
worker_rlimit_nofile 8192;
daemon off;
pid ${folder}/pid;
events { worker_connections 4096; }
http {
  access_log ${folder}/access.log;
  client_max_body_size 64m;
  client_body_buffer_size 2m;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((use) => `${use}_temp_path ${folder}/${use};`).join(' ')}
  keepalive_requests 100000000;
  upstream mock { server ${way.host}; keepalive 512; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      ${way.pass}
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header x-api-key "sk-vaulted";
      proxy_buffering off;
      proxy_request_buffering off;
    }
  }
}`

type FloorName = 'floor-http' | 'floor-undici' | 'floor-lane'

export async function startFloor(name: FloorName, { upstream, owned, core }: Place) {
  const { url, pid } = await startOwnProgram(name, upstream, owned, core)
  return toPeer(name.replace('floor-', 'node-'), url, pid)
}

/** A program of this folder: it takes one argument, and prints where it listens. */
export async function startOwnProgram(
  name: FloorName | 'mock-upstream',
  argument: string,
  owned: AsyncDisposableStack,
  core: number,
) {
  const path = fileURLToPath(new URL(`./${name}.ts`, import.meta.url))
  const program = owned.use(startProgram([process.execPath, path, argument], { core }))
  const url = await readFirstLine(program)
  return { url, pid: program.pid }
}

export async function startPortkey({ upstream, owned, core }: Place) {
  const installed = installPortkey()
  if ('missing' in installed) return installed
  const port = await findFreePort()
  const argv = [process.execPath, installed.server, '--headless', `--port=${port}`]
  const program = owned.use(startProgram(argv, { core, stderr: 'ignore' }))
  program.child.stdout!.resume() // Its greeting.
  const headers = [
    ['x-portkey-provider', 'anthropic'],
    ['x-portkey-custom-host', `${upstream}/v1`],
  ] as const
  return { ...toPeer('portkey', `http://127.0.0.1:${port}`, program.pid), headers }
}

/** Treadle as a peer. Its books are to be told of each call. */
export const toTreadlePeer = (name: string, treadle: Treadle): Peer => ({
  name,
  headers: [],
  treadle,
  url: treadle.proxyUrl,
  keys: treadle.clients.map(({ key }) => key),
  pid: treadle.pid,
  weigh: treadle.weigh,
  memoryMb: () => memoryMb(treadle.pid),
  residentKb: treadle.residentKb,
})

const readyMsMax = 30_000

/** Waits for the first whole answer. */
export async function untilAnswers({ name, url, headers, keys, treadle }: Peer): Promise<void> {
  const asked = {
    method: 'POST',
    body: toSmallBody(),
    reset: true, // No connection stays that a row would count.
    headers: Object.fromEntries([
      ...headers,
      ['content-type', 'application/json'],
      ['x-api-key', keys[0]!],
    ]),
  } as const
  let last = ''
  for (const end = Date.now() + readyMsMax; Date.now() < end; await sleep(100)) {
    try {
      const { statusCode, body } = await request(`${url}/v1/messages`, asked)
      last = `${statusCode} ${await body.text()}`
      if (statusCode !== 200) continue
      treadle?.books.expect(1)
      return
    } catch (error) {
      last = String(error) // It does not listen yet.
    }
  }
  throw new Error(`${name} does not answer: ${last}`)
}
