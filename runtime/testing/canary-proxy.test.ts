// The keys that the proxy handles, looked for in all that it writes, tells and sends: the provider's, the client's, a
// sandbox's token, the collector's and the webhook's. A decoy that was put into each of these places must be found, in each form.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { createLog } from '#kernel/log.ts'
import {
  exchange,
  keyCheck,
  type Stage,
  sandboxClaims,
  startLine,
  startStage,
  until,
} from '../proxy/testing/stage.ts'
import { readCoreLimit } from '../start/core-files.ts'
import { formsIn, plantIn, toForms } from './canary/forms.ts'
import { filesBelow, type Piece, rowsOf } from './canary/pieces.ts'
import { serviceClaims } from './deps.ts'
import { startPostgres, type TestPostgres } from './postgres.ts'

const createSecret = (name: string) => `${name}-${randomBytes(18).toString('hex')}/+=~${name}`
const secrets = {
  provider: createSecret('provider'),
  client: `trd_${createSecret('client')}`,
  collector: createSecret('collector'),
  webhook: createSecret('webhook'),
  sandbox: '', // A token, made when its sandbox calls.
}
const decoy = createSecret('decoy')
const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

describe('the keys of the proxy', () => {
  const owned = new AsyncDisposableStack()
  const scratch = mkdtempSync(join(tmpdir(), 'canary-'))
  const days = join(scratch, 'days')
  const said: { log: string; answers: string[] } = { log: '', answers: [] }
  let postgres: TestPostgres
  let stage: Stage
  let collector: Awaited<ReturnType<typeof startListener>>
  let hook: Awaited<ReturnType<typeof startListener>>
  const found = new Map<string, Map<string, string>>()

  before(async () => {
    owned.defer(() => rmSync(scratch, { recursive: true }))
    postgres = owned.use(await startPostgres())
    collector = owned.use(await startListener())
    hook = owned.use(await startListener())
    const file = (name: string, text: string) => {
      writeFileSync(join(scratch, name), text, { mode: 0o600 })
      return join(scratch, name)
    }
    mkdirSync(days)
    const headersFile = file('headers', `x-collector-key: ${secrets.collector}\n`)
    const config = {
      otel: { url: collector.url, headersFile, sampleRatio: 1 },
      answerHeaders: ['call', 'overhead', 'cost'],
      export: {
        jsonl: { folder: days, keepDays: 30 },
        webhook: { url: hook.url, secretFile: file('secret', secrets.webhook), batch: 5 },
        backlogBytesMax: '1MiB',
      },
    }
    const log = createLog(
      'trace',
      toText((text) => (said.log += text)),
    )
    stage = owned.use(await startStage({ postgres, config, log }))
    stage.peers.keys = [...stage.peers.keys, keyCheck(secrets.client, { id: 'key-2' })]
    await stage.addProvider({ key: secrets.provider })
    await until(async () => (await call()).status === 200)
    await callInManyWays()
    const answers = [
      '/api/calls',
      '/api/calls/live',
      '/api/providers',
      '/api/usage',
      '/api/metrics',
    ]
    for (const path of answers) said.answers.push(await (await stage.admin('GET', path)).text())
    await until(() => collector.bodies.length > 0 && hook.bodies.length > 0)
    await until(() => stage.peers.turns.length > 0 && readdirSync(days).length > 0)
    await searchEverywhere()
  })
  after(() => owned.disposeAsync())

  test('go where they belong', () => {
    const { headers } = stage.upstream.seen.at(-1)!
    assert.equal(headers['x-api-key'], secrets.provider)
    assert.equal(collector.headers.at(-1)!['x-collector-key'], secrets.collector)
  })

  test('would be found in every place, in every form', () => {
    const wanted = Object.keys(toForms(decoy)).sort()
    for (const [place, seen] of found)
      assert.deepEqual(formsOf(seen, 'decoy'), wanted, `the search is blind in ${place}`)
    assert.ok(found.size >= 8)
  })

  test('are in no log, table, file, metric, trace, export, conversation or answer, in any form', () => {
    for (const [place, seen] of found)
      for (const name of Object.keys(secrets))
        assert.deepEqual(formsOf(seen, name), [], `${place}: ${JSON.stringify([...seen])}`)
  })

  test('are in no core file: neither the process nor what it starts may leave one', async () => {
    const source = fileURLToPath(new URL('../start/core-files.ts', import.meta.url))
    const script = `
      const { forbidCoreFiles } = await import(${JSON.stringify(source)})
      forbidCoreFiles()
      const { spawn } = await import('node:child_process')
      const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)'])
      process.stdout.write(String(child.pid) + '\\n')
      process.once('SIGTERM', () => { child.kill(); process.exit() })
      setTimeout(() => {}, 60_000)`
    // As high as this machine lets it be: only then does the test say anything.
    const shell = `ulimit -S -c $(ulimit -H -c); exec "$0" --input-type=module -e "$1"`
    const parent = spawn('sh', ['-c', shell, process.execPath, script])
    owned.defer(() => void parent.kill('SIGTERM'))
    const [line] = (await once(parent.stdout, 'data')) as [Buffer]
    assert.equal(readCoreLimit(parent.pid!), 0)
    assert.equal(readCoreLimit(Number(line.toString())), 0)
  })

  test('are in no report of a crash: it has no environment', () => {
    const source = fileURLToPath(new URL('../start/core-files.ts', import.meta.url))
    const script = `
      const { forbidCoreFiles } = await import(${JSON.stringify(source)})
      forbidCoreFiles()
      process.stdout.write(JSON.stringify(process.report.getReport()))`
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      env: { PLANTED: decoy },
      maxBuffer: 64 * 1024 * 1024,
    })
    assert.ok(stdout.length > 1_000)
    assert.deepEqual(formsIn(stdout, toForms(decoy)), [])
  })

  function call(more: { headers?: Record<string, string>; path?: string; body?: object } = {}) {
    return fetch(new URL(more.path ?? '/v1/messages', stage.url), {
      method: 'POST',
      headers: {
        'x-api-key': secrets.client,
        'content-type': 'application/json',
        traceparent,
        ...more.headers,
      },
      body: JSON.stringify({
        ...{ model: 'm-1', messages: [{ role: 'user', content: 'hello' }] },
        ...more.body,
      }),
    })
  }

  /** Answers, errors that repeat the key, cuts, and keys in every wrong place. */
  async function callInManyWays(): Promise<void> {
    const { state } = stage.upstream
    const answer = JSON.stringify({
      ...{ content: [{ type: 'text', text: 'hi' }], stop_reason: 'end_turn' },
      usage: { input_tokens: 10, output_tokens: 3 },
    })
    const json = { 'content-type': 'application/json' }
    state.script = (_request, response) => response.writeHead(200, json).end(answer)
    await told(call())
    const error = { type: 'authentication_error', message: `Wrong key ${secrets.provider}.` }
    state.script = (_request, response) =>
      response.writeHead(401, json).end(JSON.stringify({ type: 'error', error }))
    await (await call()).text() // The vendor's own bytes, which are passed as they are: not searched.
    state.script = (_request, response) =>
      response.writeHead(200, json).write('{"half"') && response.destroy()
    await call()
      .then((response) => response.text())
      .catch(() => {})
    state.script = (_request, response) => response.destroy()
    await told(call())
    await told(call({ path: `/v1/messages?key=${encodeURIComponent(secrets.client)}` }))
    await told(call({ headers: { authorization: `Bearer ${secrets.client}x` } }))
    await told(call({ path: `/v1/${encodeURIComponent('nowhere')}` }))
    await told(call({ body: { model: 'not-here' } }))
    const wrong = { name: 'x', kind: 'anthropic', key: `${secrets.provider}\n`, models: [] }
    said.answers.push(await (await stage.admin('POST', '/api/providers', wrong)).text())
    said.answers.push(await (await stage.admin('POST', '/api/providers/vendor/test')).text())
    state.script = (_request, response) => response.writeHead(200, json).end(answer)
    await told(call())
    await callOddly()
    await callFromSandbox()
    said.answers.push(await (await stage.admin('POST', '/api/providers/vendor/test')).text())
    const question = { model: 'm-1', key: 'key-2' }
    said.answers.push(await (await stage.admin('POST', '/api/explain', question)).text())
  }

  /** By the general lane, whole and broken, and answers that are refused as bytes. */
  async function callOddly(): Promise<void> {
    const head = `POST /v1/messages HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-api-key: ${secrets.client}\r\n`
    const body = '{"model":"m-1"}'
    const chunks = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
    for (const rest of [
      `transfer-encoding: chunked\r\n\r\n${chunks}`,
      `transfer-encoding: gzip, chunked\r\n\r\n${chunks}`,
      `content-length: 1\r\ncontent-length: 2\r\n\r\n${body}`,
      `no header ${secrets.client}\r\n\r\n`,
      `x-treadle-tags: ${secrets.client}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    ])
      said.answers.push(await exchange(stage.url, head + rest))
    const { state } = stage.upstream
    state.script = (_request, response) =>
      response.socket!.end(`HTTP/1.1 200 OK\r\nx ${secrets.provider}: 1\r\n\r\n`)
    await told(call())
    const gemini = { name: 'google', kind: 'gemini', key: secrets.provider, models: ['g'] }
    await stage.addProvider({ ...gemini, kind: 'gemini' })
    const query = `?key=${encodeURIComponent(secrets.client)}`
    for (const more of ['', '&fields=x', '&access_token=x']) {
      const url = new URL(`/v1beta/models/g:generateContent${query}${more}`, stage.url)
      await told(fetch(url, { method: 'POST', body: '{}' }))
    }
  }

  async function callFromSandbox(): Promise<void> {
    await using line = await startLine(stage, 'sb-1')
    secrets.sandbox = await stage.deps.tokenFor(sandboxClaims())
    const { state } = stage.upstream
    for (const status of [200, 500]) {
      state.script = (_request, response) =>
        response.writeHead(status).end(`{"error":{"message":"not ${secrets.provider}"}}`)
      const headers = { authorization: `Bearer ${secrets.sandbox}` }
      const response = await fetch(new URL('/v1/messages', line.url), {
        ...{ method: 'POST', headers, body: '{"model":"m-1"}' },
      })
      await response.text() // The vendor's own bytes again.
    }
    const asked = await stage.deps.tokenFor(serviceClaims('spool'))
    const url = new URL('/internal/sandboxes/sb-1/record', stage.adminUrl)
    await told(fetch(url, { headers: { authorization: `Bearer ${asked}` } }))
  }

  /** Heads as well, for ours are among them. */
  async function told(asked: Promise<Response>): Promise<void> {
    const response = await asked
    const heads = JSON.stringify([...response.headers])
    said.answers.push(`${response.status} ${heads} ${await response.text()}`)
  }

  async function searchEverywhere(): Promise<void> {
    const planted = plantIn(decoy)
    const { log, folder } = stage.deps
    log.info(planted.replaceAll('\n', ' '))
    for (const place of [folder, days]) writeFileSync(join(place, 'planted'), planted)
    const db = new pg.Client({ connectionString: postgres.url('proxy') })
    await db.connect()
    owned.defer(() => db.end())
    await db.query('create table proxy.planted as select $1::text as planted', [planted])
    const textOf = (at: string, texts: readonly string[]) =>
      [...texts, planted].map((text) => ({ at, bytes: Buffer.from(text) }))
    const turns = stage.peers.turns.map((turn) => JSON.stringify(turn))
    const heads = collector.headers.map(({ 'x-collector-key': _, ...rest }) => JSON.stringify(rest))
    const places: Record<string, AsyncIterable<Piece> | Iterable<Piece>> = {
      'the log': textOf('log', [said.log]),
      "the role's files": filesBelow(folder, new Set()),
      'the exported files': filesBelow(days, new Set()),
      'the tables': rowsOf(db, 'proxy'),
      'the spans': textOf('spans', [...collector.bodies, ...heads]),
      'the webhook': textOf('webhook', [...hook.bodies, JSON.stringify(hook.headers)]),
      'the conversations': textOf('turns', turns),
      'the answers and metrics': textOf('answers', said.answers),
    }
    for (const [place, pieces] of Object.entries(places)) found.set(place, await search(pieces))
  }
})

const allForms = () =>
  Object.entries({ ...secrets, decoy }).map(([name, text]) => [name, toForms(text)] as const)

/** `secret form` to where it was found first. */
async function search(pieces: AsyncIterable<Piece> | Iterable<Piece>) {
  const seen = new Map<string, string>()
  const all = allForms()
  for await (const { at, bytes } of pieces)
    for (const [name, forms] of all)
      for (const form of formsIn(bytes, forms))
        if (!seen.has(`${name} ${form}`)) seen.set(`${name} ${form}`, at)
  return seen
}

const formsOf = (seen: ReadonlyMap<string, string>, name: string) =>
  [...seen.keys()]
    .filter((key) => key.startsWith(`${name} `))
    .map((key) => key.slice(name.length + 1))
    .sort()

const toText = (take: (text: string) => void) =>
  new Writable({
    write(chunk: Buffer, _encoding, done) {
      take(chunk.toString())
      done()
    },
  })

/** Takes whatever is posted. */
async function startListener() {
  const bodies: string[] = []
  const headers: Record<string, unknown>[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text
    })
    request.once('end', () => {
      bodies.push(body)
      headers.push(request.headers)
      response.end('{}')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  return {
    url,
    bodies,
    headers,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
    },
  }
}
