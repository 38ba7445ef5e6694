import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Agent, request, type ServerResponse } from 'node:http'
import { after, before, describe, test } from 'node:test'
import { startPostgres } from '../testing/postgres.ts'
import type { Call } from './api.ts'
import { clientKey, type Stage, startStage, until } from './testing/stage.ts'

const workers = 3
const answer = { usage: { input_tokens: 5, output_tokens: 2 }, content: [] }

describe('workers', () => {
  const owned = new AsyncDisposableStack()
  let stage: Stage
  before(async () => {
    const postgres = owned.use(await startPostgres())
    stage = owned.use(await startStage({ postgres, config: { workers } }))
    await stage.addProvider()
    stage.upstream.state.script = (_request, response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  })
  after(() => owned.disposeAsync())

  /** A call on a connection of its own: the kernel deals connections out, not calls. */
  async function call(): Promise<number> {
    const asked = request(new URL('/v1/messages', stage.url), {
      method: 'POST',
      agent: new Agent(),
      headers: { 'x-api-key': clientKey, 'content-type': 'application/json' },
    })
    asked.end(JSON.stringify({ model: 'm-1', max_tokens: 9, messages: [] }))
    const [response] = await once(asked, 'response')
    response.resume()
    await once(response, 'end')
    return response.statusCode
  }

  const pids = () =>
    readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8')
      .trim()
      .split(' ')
      .filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('worker-main'))
      .map(Number)

  const callsOf = async () => {
    const response = await stage.admin('GET', '/api/calls?limit=500')
    assert.equal(response.status, 200, await response.clone().text())
    return ((await response.json()) as { items: Call[] }).items
  }

  const allServe = () =>
    until(async () => {
      const listening = execFileSync('ss', ['-Hltn', `sport = :${stage.url.port}`], {
        encoding: 'utf8',
      })
      return listening.trim().split('\n').length === workers
    }, 20_000)

  test('listen on one port, and every call of each is in the list at once', async () => {
    await allServe()
    const statuses = await Promise.all(Array.from({ length: 60 }, call))
    assert.deepEqual(new Set(statuses), new Set([200]))
    const calls = await callsOf()
    assert.equal(calls.length, 60)
    assert.ok(calls.every(({ state }) => state === 'settled'))
  })

  test('all know a provider that was removed, once that is answered', async () => {
    assert.equal((await stage.admin('DELETE', '/api/providers/vendor')).status, 204)
    const statuses = await Promise.all(Array.from({ length: 30 }, call))
    assert.deepEqual(new Set(statuses), new Set([403]))
    await stage.addProvider()
    const again = await Promise.all(Array.from({ length: 30 }, call))
    assert.deepEqual(new Set(again), new Set([200]))
  })

  test('one that is killed in a call comes back, and the call is booked', async () => {
    const before = (await callsOf()).length
    const waiting: ServerResponse[] = []
    stage.upstream.state.script = (_request, response) => void waiting.push(response)
    const calls = Array.from({ length: 30 }, () => call().catch(() => 'cut' as const))
    await until(() => waiting.length === 30)
    const killed = pids()
    assert.equal(killed.length, workers - 1)
    for (const pid of killed) process.kill(pid, 'SIGKILL')
    for (const response of waiting) response.end(JSON.stringify(answer))
    const ended = await Promise.all(calls)
    assert.ok(ended.includes('cut'))
    await until(
      async () => pids().length === workers - 1 && !pids().some((pid) => killed.includes(pid)),
    )
    await allServe()
    await until(async () => {
      const items = await callsOf()
      return items.length === before + 30 && items.every(({ state }) => state !== 'begun')
    })
  })

  test('end with their parent', async () => {
    const running = pids()
    await owned.disposeAsync()
    for (const pid of running) assert.throws(() => process.kill(pid, 0), /ESRCH/)
  })
})
