import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Page } from '../spool/api.ts'
import { startPostgres } from '../testing/postgres.ts'
import type { CallsExport, ExportedCall } from './api.ts'
import { noUsage } from './ledger-line.ts'
import { clientKey, type Stage, startStage, until } from './testing/stage.ts'

const said = 'what nobody else is to read'
const secret = 'whsec_dGhlLXNlY3JldC10aGF0LXNpZ25zLWl0'

describe('the export', () => {
  const owned = new AsyncDisposableStack()
  const folder = mkdtempSync(join(tmpdir(), 'export-'))
  const days = join(folder, 'days')
  let stage: Stage
  let hook: Awaited<ReturnType<typeof startHook>>
  before(async () => {
    owned.defer(() => rmSync(folder, { recursive: true }))
    const postgres = owned.use(await startPostgres())
    hook = owned.use(await startHook())
    const secretFile = join(folder, 'secret')
    writeFileSync(secretFile, `${secret}\n`)
    const jsonl = { folder: days, keepDays: 2 }
    const webhook = { url: hook.url, secretFile, batch: 3 }
    const ledger = {
      syncMs: '10ms',
      shipMs: '20ms',
      segmentBytesMax: '4KiB',
      backlogBytesMax: '64KiB',
    }
    const config = { ledger, export: { jsonl, webhook, backlogBytesMax: '16KiB' } }
    stage = owned.use(await startStage({ postgres, config }))
    await stage.addProvider({ models: ['claude-opus-4-5'] })
    stage.upstream.state.script = (_request, response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(
        JSON.stringify({
          content: [{ type: 'text', text: said }],
          stop_reason: said,
          usage: { input_tokens: 10, output_tokens: 3 },
        }),
      )
  })
  after(() => owned.disposeAsync())

  const call = async (count: number) => {
    for (let n = 0; n < count; n += 1) {
      const response = await fetch(new URL('/v1/messages', stage.url), {
        method: 'POST',
        headers: {
          ...{ 'x-api-key': clientKey, 'x-treadle-tags': 'env=prod' },
          'x-treadle-end-user': 'u-1',
        },
        body: JSON.stringify({
          model: 'claude-opus-4-5',
          messages: [{ role: 'user', content: said }],
        }),
      })
      assert.equal(response.status, 200, await response.text())
    }
  }
  const files = () => readdirSync(days).sort()
  const written = () =>
    files().flatMap((name) => readFileSync(join(days, name), 'utf8').split('\n').slice(0, -1))
  const booked = async () => {
    const response = await stage.admin('GET', '/api/calls?limit=500')
    return ((await response.json()) as Page<{ id: string }>).items.map(({ id }) => id).sort()
  }
  const idsOf = (lines: readonly string[]) =>
    lines.map((line) => (JSON.parse(line) as ExportedCall).id).sort()
  const sentIds = () => new Set(hook.calls().map(({ id }) => id))

  test('has a line for each call, of figures and names, and nothing that was said', async () => {
    await call(2)
    await until(() => written().length === 2)
    const [line] = written()
    assert.ok(!line!.includes(said))
    const { id, beganAt, endedAt, intakeMs, sentMs, firstByteMs, lastByteMs, ...rest } = JSON.parse(
      line!,
    ) as ExportedCall
    assert.ok(id && beganAt <= endedAt && intakeMs! >= 0 && sentMs! >= 0)
    assert.ok(firstByteMs! <= lastByteMs!)
    assert.deepEqual(rest, {
      ...{
        org: 'default',
        team: null,
        tags: { env: 'prod' },
        endUser: 'u-1',
        user: 'owner',
        key: 'key-1',
        loop: null,
        pass: null,
        attempt: null,
      },
      ...{ sandbox: null, provider: 'vendor', model: 'claude-opus-4-5', wire: 'messages' },
      ...{ isRehearsal: false, state: 'settled', status: 200, code: null, toolCalls: 0 },
      usage: { ...noUsage, inputTokens: 10, outputTokens: 3 },
      serviceTier: null,
      ...{ costNanoUsd: 125_000, isPriced: true },
    })
  })

  test('is posted in signed batches, that name their calls', async () => {
    await until(() => hook.calls().length === 2)
    const { headers, body } = hook.taken[0]!
    const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signature } = headers
    const key = Buffer.from(secret.slice(6), 'base64')
    const mac = createHmac('sha256', key).update(`${id}.${at}.${body}`).digest('base64')
    assert.equal(signature, `v1,${mac}`)
    assert.ok(Math.abs(Number(at) - Date.now() / 1_000) < 60)
    assert.equal((JSON.parse(body) as CallsExport).type, 'calls.ended')
    assert.ok(!body.includes(said))
  })

  test('has each call once after a restart in the middle of a write', async () => {
    const state = join(stage.deps.folder, 'export-jsonl.json')
    const before = join(folder, 'cursor-before')
    await call(1)
    await until(async () => written().length === 3 && (await booked()).length === 3)
    copyFileSync(state, before)
    await call(3)
    await until(() => written().length === 6)
    await stage.restart(() => {
      copyFileSync(before, state) // As if it had died before it wrote down how far it was,
      appendFileSync(join(days, files().at(-1)!), '{"half": "a li') // and in the middle of a line.
    })
    await call(2)
    await until(() => written().length === 8)
    assert.deepEqual(idsOf(written()), await booked())
  })

  test('goes on where it was when an address is wrong for a while, and loses nothing', async () => {
    hook.state.status = 500
    await call(4)
    await until(() => written().length === 12)
    assert.ok(sentIds().size < 12)
    hook.state.status = 204
    await until(() => sentIds().size === 12, 20_000)
    assert.deepEqual([...sentIds()].sort(), await booked())
    assert.ok(hook.taken.every(({ body }) => (JSON.parse(body) as CallsExport).calls.length <= 3))
  })

  test('leaves out the oldest when an address is wrong for long, and holds up no call', async () => {
    hook.state.status = 500
    for (let n = 0; n < 6; n += 1) {
      await call(10) // In all twice what the ledger may hold: it would refuse them if the export counted.
      await until(() => written().length === 22 + n * 10)
    }
    await until(async () => {
      const text = await (await stage.admin('GET', '/api/metrics')).text()
      const skipped = /export_skipped_bytes_total\{to="webhook"\} (\d+)/.exec(text)?.[1]
      return Number(skipped) > 20_000
    })
    const kept = readdirSync(stage.deps.folder).filter((name) => name.startsWith('calls-'))
    assert.ok(kept.length <= 7, `${kept.length} segments of 4 KiB are kept`)
  })

  test('keeps files for as many days as it should', async () => {
    for (const name of ['calls-2020-01-01.jsonl', 'notes.txt']) writeFileSync(join(days, name), '')
    await stage.restart()
    await call(1)
    await until(() => !files().includes('calls-2020-01-01.jsonl'))
    assert.ok(files().includes('notes.txt'))
  })
})

async function startHook() {
  const taken: { headers: IncomingHttpHeaders; body: string }[] = []
  const state = { status: 204 }
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text
    })
    request.once('end', () => {
      if (state.status < 300) taken.push({ headers: request.headers, body })
      response.writeHead(state.status).end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/calls`,
    taken,
    state,
    calls: () => taken.flatMap(({ body }) => (JSON.parse(body) as CallsExport).calls),
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
    },
  }
}
