// An order to stop with answers under way: they go on to their end, what is new goes elsewhere, and all is booked.
import assert from 'node:assert/strict'
import { execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { after, afterEach, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { FolderHeld, holdFolder } from '#kernel/hold-folder.ts'
import { startPostgres, type TestPostgres } from '../testing/postgres.ts'
import type { Told } from './testing/child-main.ts'
import { clientKey, type Stage, startStage, until } from './testing/stage.ts'

const streams = 24
const workers = 2
const first = 'data: {"type":"message_start","message":{"usage":{"input_tokens":3}}}\n\n'
const last = 'data: {"type":"message_delta","delta":{},"usage":{"output_tokens":5}}\n\n'
const ledger = {
  syncMs: '10ms',
  shipMs: '50ms',
  segmentBytesMax: '64KiB',
  backlogBytesMax: '64MiB',
}
const main = fileURLToPath(new URL('./testing/child-main.ts', import.meta.url))

describe('an order to stop', { timeout: 60_000 }, () => {
  const owned = new AsyncDisposableStack()
  let postgres: TestPostgres
  let stage: Stage
  const waiting: ServerResponse[] = []
  before(async () => {
    postgres = owned.use(await startPostgres())
    stage = owned.use(await startStage({ postgres, config: { drainMs: '300ms' } }))
    await stage.addProvider()
    stage.upstream.state.script = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(first)
      waiting.push(response)
    }
  })
  after(() => owned.disposeAsync())
  afterEach(() => {
    waiting.length = 0
  })

  async function open(url: URL, agent: Agent) {
    const headers = { 'x-api-key': clientKey }
    const asked = request(new URL('/v1/messages', url), { method: 'POST', headers, agent })
    asked.on('error', () => {}) // The answer tells it as well.
    asked.end('{"model":"m-1","stream":true,"messages":[]}')
    const [response] = (await once(asked, 'response')) as [IncomingMessage]
    const told = { got: '', end: '' }
    response.setEncoding('utf8').on('data', (text: string) => {
      told.got += text
    })
    response.on('error', () => {
      told.end = 'cut'
    })
    response.on('end', () => {
      told.end = 'whole'
    })
    await until(() => told.got === first)
    return told
  }
  const isRefused = (url: URL) =>
    fetch(url).then(
      () => false,
      ({ cause }) => cause.code === 'ECONNREFUSED',
    )
  const stateCounts = async () =>
    (
      await postgres.query(
        'select state, count(*)::int as n from proxy.calls group by 1 order by 1',
      )
    )
      .map(({ state, n }) => `${n} ${state}`)
      .join()

  /** Two processes, on a folder that is always the same. */
  async function startReplica() {
    const { masterKeyFile } = stage.config
    const given = {
      postgresUrl: postgres.url('proxy'),
      folder: stage.scratch,
      peersUrl: stage.deps.urls.get('auth')!.href,
      upstreamUrl: null,
      config: { workers, drainMs: '30s', masterKeyFile, ledger },
    }
    const child = fork(main, [JSON.stringify(given)], { execArgv: [] })
    owned.defer(() => void child.kill('SIGKILL'))
    const [{ modelUrl }] = (await once(child, 'message')) as [Told]
    const url = new URL(modelUrl)
    await until(() => listeners(url) === workers, 20_000)
    return { child, url, ended: once(child, 'exit') }
  }
  const listeners = ({ port }: URL) => {
    const listening = ['-Hltn', `sport = :${port}`]
    return execFileSync('ss', listening, { encoding: 'utf8' }).trim().split('\n').length
  }

  test('lets the streams of all its processes end, takes none, and has all of them booked', async () => {
    const agent = new Agent({ keepAlive: true })
    owned.defer(() => agent.destroy())
    const { child, ended, url } = await startReplica()
    const all = await Promise.all(Array.from({ length: streams }, () => open(url, agent)))
    child.kill('SIGTERM')
    await until(() => isRefused(url))
    for (const response of waiting) response.end(last)
    await until(() => all.every(({ end }) => end !== ''))
    const whole = { got: first + last, end: 'whole' }
    for (const one of all) assert.deepEqual(one, whole)
    const [code] = await ended
    assert.equal(code, 0)
    assert.equal(await stateCounts(), `${streams} settled`)
  })

  test('cuts what takes longer than it may, and that is booked as well', async () => {
    const agent = new Agent({ keepAlive: true })
    owned.defer(() => agent.destroy())
    const told = await open(stage.url, agent)
    const began = performance.now()
    await stage.restart()
    assert.ok(performance.now() - began < 5_000)
    await until(() => told.end === 'cut')
    await until(async () => (await stateCounts()) === `1 estimated,${streams} settled`)
  })

  test('alone lets another process have its folder', () =>
    assert.rejects(holdFolder(stage.deps.folder, 0), FolderHeld))

  test('that never came, for the first process was killed: the other lets go of its folder, and all is booked', async () => {
    const agent = new Agent({ keepAlive: true })
    owned.defer(() => agent.destroy())
    const { child, ended, url } = await startReplica()
    const all = await Promise.all(Array.from({ length: streams }, () => open(url, agent)))
    child.kill('SIGKILL')
    await ended
    const next = await startReplica()
    assert.ok(all.every(({ end }) => end === 'cut'))
    await until(async () => (await stateCounts()) === `${streams + 1} estimated,${streams} settled`)
    waiting.length = 0
    const more = await Promise.all(Array.from({ length: streams }, () => open(next.url, agent)))
    for (const response of waiting) response.end(last)
    await until(() => more.every(({ end }) => end === 'whole'))
    const settled = `${streams + 1} estimated,${2 * streams} settled`
    await until(async () => (await stateCounts()) === settled)
  })
})
