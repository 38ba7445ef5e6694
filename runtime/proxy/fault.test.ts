import assert from 'node:assert/strict'
import { type ChildProcess, fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startPostgres, type TestPostgres } from '../testing/postgres.ts'
import type { Told } from './testing/child-main.ts'
import {
  clientKey,
  type Stage,
  sandboxClaims,
  startLine,
  startStage,
  until,
} from './testing/stage.ts'

const body = JSON.stringify({
  model: 'm-1',
  stream: true,
  messages: [{ role: 'user', content: 'x'.repeat(400) }],
})
const event = (data: object) => `data: ${JSON.stringify(data)}\n\n`
const start = event({
  type: 'message_start',
  message: { usage: { input_tokens: 50, cache_read_input_tokens: 7, output_tokens: 1 } },
})
const words = event({
  type: 'content_block_delta',
  index: 0,
  delta: { type: 'text_delta', text: 'w'.repeat(40) },
})
const end = event({
  type: 'message_delta',
  delta: { stop_reason: 'end_turn' },
  usage: { output_tokens: 12 },
})
const closeMsMax = 250 // tests run on busy ones.

describe('a fault', () => {
  const owned = new AsyncDisposableStack()
  let postgres: TestPostgres
  let stage: Stage
  before(async () => {
    postgres = owned.use(await startPostgres())
    stage = owned.use(
      await startStage({
        postgres,
        config: { firstByteMs: '1s', idleMs: '1s', connectMs: '500ms' },
      }),
    )
    await stage.addProvider()
  })
  after(() => owned.disposeAsync())
  beforeEach(() => {
    stage.upstream.seen.length = 0
    stage.upstream.state.aborted = []
  })

  const headers = { 'x-api-key': clientKey, 'content-type': 'application/json' }
  const post = (url: URL, more: Record<string, string> = {}) =>
    fetch(new URL('/v1/messages', url), { method: 'POST', headers: { ...headers, ...more }, body })
  const script = (then: (response: ServerResponse) => void) => {
    stage.upstream.state.script = (_request, response) => then(response)
  }
  const streamThen = (then: (response: ServerResponse) => void) => {
    stage.upstream.state.script = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(start + words)
      then(response)
    }
  }
  /** A call from a sandbox; resolves at the head of its answer. */
  async function callFrom(line: URL, sandbox: string) {
    const token = await stage.deps.tokenFor(sandboxClaims({ sub: sandbox }))
    const request = httpRequest(new URL('/v1/messages', line), {
      method: 'POST',
      headers: { ...headers, 'x-api-key': token },
    })
    request.on('error', () => {}) // The test looks at the response, or destroys it.
    request.end(body)
    return request
  }

  for (const when of ['in mid-stream', 'before the first byte'] as const) {
    test(`a client that leaves ${when} aborts the upstream, and is booked as estimated`, async () => {
      const sandbox = `leave-${when.length}`
      await using line = await startLine(stage, sandbox)
      if (when === 'in mid-stream') streamThen(() => {})
      else stage.upstream.state.script = () => {}
      const request = await callFrom(line.url, sandbox)
      if (when === 'in mid-stream') {
        const [response] = (await once(request, 'response')) as [IncomingMessage]
        await once(response, 'data')
      } else await until(() => stage.upstream.seen.length === 1)
      const left = performance.now()
      request.destroy()
      await until(() => stage.upstream.state.aborted.length === 1)
      assert.ok(stage.upstream.state.aborted[0]! - left < closeMsMax)
      await until(async () => (await stage.record(sandbox)).inFlight === 0)
      const { last, usage, calls } = await stage.record(sandbox)
      assert.deepEqual([calls, last!.state, last!.error], [1, 'estimated', 'the client left'])
      const expected = when === 'in mid-stream' ? [57, 10] : [Math.ceil(body.length / 4), 0]
      assert.deepEqual([usage.inputTokens, usage.outputTokens], expected)
    })
  }

  test('usage that came before the client left stays exact', async () => {
    await using line = await startLine(stage, 'late')
    streamThen((response) => response.write(end))
    const request = await callFrom(line.url, 'late')
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    response.setEncoding('utf8')
    for (let got = ''; !got.includes('message_delta'); got += (await once(response, 'data'))[0]);
    request.destroy()
    await until(async () => (await stage.record('late')).last !== null)
    const { last, usage } = await stage.record('late')
    assert.deepEqual([last!.state, usage.inputTokens, usage.outputTokens], ['settled', 57, 12])
  })

  for (const [door, ends] of [
    ['the public port', (response: ServerResponse) => response.destroy()],
    ['a line', (response: ServerResponse) => response.destroy()],
  ] as const) {
    test(`an upstream that dies in mid-stream never looks like a clean end, over ${door}`, async () => {
      streamThen((response) => setTimeout(() => ends(response), 20))
      await using line = await startLine(stage, 'cut')
      const token = await stage.deps.tokenFor(sandboxClaims({ sub: 'cut' }))
      const response =
        door === 'a line' ? await post(line.url, { 'x-api-key': token }) : await post(stage.url)
      assert.equal(response.status, 200)
      await assert.rejects(response.text())
      if (door === 'a line') assert.equal((await stage.record('cut')).last!.state, 'estimated')
    })
  }

  test('over TCP it is a reset', async () => {
    streamThen((response) => setTimeout(() => response.destroy(), 20))
    const socket = connect(Number(stage.url.port), stage.url.hostname).resume()
    socket.on('end', () => assert.fail('it was ended')) // To node:http a body without its end looks the same.
    socket.write(
      `POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: ${clientKey}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    )
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
    assert.equal(error.code, 'ECONNRESET')
  })

  test('an upstream that stands still is cut after the idle time', async () => {
    streamThen(() => {})
    await assert.rejects((await post(stage.url)).text())
  })

  for (const [title, prepare, status, words] of [
    [
      'refuses connections',
      async () =>
        stage.addProvider({ name: 'closed', baseUrl: 'http://127.0.0.1:1', models: ['m-closed'] }),
      502,
      /can't be reached/,
    ],
    ['does not answer in time', async () => script(() => {}), 504, /did not answer in time/],
    [
      'hangs up without an answer',
      async () => script((response) => response.destroy()),
      502,
      /can't be reached/,
    ],
  ] as const) {
    test(`an upstream that ${title} is ${status} in the wire's error shape`, async () => {
      await prepare()
      const sent = title === 'refuses connections' ? body.replace('m-1', 'm-closed') : body
      const response = await fetch(new URL('/v1/messages', stage.url), {
        method: 'POST',
        headers,
        body: sent,
      })
      assert.equal(response.status, status)
      const answer = (await response.json()) as {
        type: string
        error: { type: string; message: string }
      }
      assert.deepEqual([answer.type, answer.error.type], ['error', 'api_error'])
      assert.match(answer.error.message, words)
    })
  }

  test('PostgreSQL killed and back: calls go on, nothing is lost, nothing is counted twice', async () => {
    stage.upstream.state.script = (_request, response) =>
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ usage: { input_tokens: 3, output_tokens: 2 } }))
    const sum = async () =>
      (
        await postgres.query(
          "select count(*)::int as calls, sum(input_tokens)::int as input from proxy.calls where key = 'key-1' and state = 'settled' and input_tokens = 3",
        )
      )[0]!
    const call = async () => assert.equal((await post(stage.url)).status, 200)
    for (let i = 0; i < 5; i += 1) await call()
    await postgres.kill()
    for (let i = 0; i < 20; i += 1) await call()
    assert.equal(
      (
        await stage.admin('GET', '/internal/loops/x/usage', undefined, {
          kind: 'service',
          sub: 'spool',
        })
      ).status,
      503,
    )
    await postgres.start()
    await until(async () => (await sum()).calls === 25, 20_000)
    await call()
    await until(async () => (await sum()).calls === 26, 10_000)
    await sleep(700) // Another turn of shipping: it must add nothing.
    assert.deepEqual(await sum(), { calls: 26, input: 78 })
  })

  test('threads away and back: every conversation arrives', async () => {
    stage.upstream.state.script = (_request, response) =>
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ content: [{ type: 'text', text: 'hello' }] }))
    stage.peers.threadsStatus = 503
    stage.peers.turns.length = 0
    for (let i = 0; i < 5; i += 1) await post(stage.url)
    await sleep(100)
    assert.equal(stage.peers.turns.length, 0)
    stage.peers.threadsStatus = 204
    await until(() => new Set(stage.peers.turns.map(({ call }) => call)).size === 5)
  })

  test('a conversation that threads refuses takes no other with it', async () => {
    stage.peers.turns.length = 0
    stage.peers.isRefusing = true
    for (let i = 0; i < 5; i += 1) await post(stage.url)
    await until(() => new Set(stage.peers.turns.map(({ call }) => call)).size === 4)
    stage.peers.isRefusing = false
  })

  describe('in a process of its own', () => {
    let folder: string
    let child: ChildProcess | undefined
    before(() => {
      folder = mkdtempSync(join(tmpdir(), 'proxy-child-'))
    })
    after(() => {
      child?.kill('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    })

    async function startChild(
      inFolder: string,
      exec: { execPath?: string } = {},
      config = {},
    ): Promise<Told> {
      const given = {
        postgresUrl: postgres.url('proxy'),
        folder: inFolder,
        peersUrl: peersUrlOf(stage),
        upstreamUrl: stage.upstream.url.href,
        config,
      }
      child = fork(
        fileURLToPath(new URL('./testing/child-main.ts', import.meta.url)),
        [JSON.stringify(given)],
        { ...exec, execArgv: [] },
      )
      const [told] = (await Promise.race([
        once(child, 'message'),
        once(child, 'exit').then(() => Promise.reject(new Error('the child ended'))),
      ])) as [Told]
      return told
    }

    test('kill -9 in the middle of a call leaves it booked, and what had ended is exact', async () => {
      const { modelUrl } = await startChild(folder)
      const sent = body.replace('m-1', 'claude-opus-4-5')
      const call = async () => {
        const response = await fetch(new URL('/v1/messages', modelUrl), {
          method: 'POST',
          headers,
          body: sent,
        })
        assert.equal(response.status, 200)
        return response
      }
      const booked = () =>
        postgres.query(
          `select state, error, input_tokens::int as input, output_tokens::int as output, cost_nano_usd::int as cost
           from proxy.calls where model = 'claude-opus-4-5' order by began_at`,
        )
      streamThen((response) => response.end(end))
      await (await call()).text()
      await sleep(50) // The end is written a moment after the client has it.
      streamThen(() => {})
      await (await call()).body!.getReader().read()
      child!.kill('SIGKILL')
      await once(child!, 'exit')
      assert.deepEqual(await booked(), [])

      const guess = Math.ceil(sent.length / 4)
      const exact = { state: 'settled', error: null, input: 57, output: 12 }
      const lost = { state: 'estimated', error: 'process ended', input: guess, output: 0 }
      const expected = [
        { ...exact, cost: 50 * 5_000 + 7 * 500 + 12 * 25_000 },
        { ...lost, cost: guess * 5_000 },
      ]
      for (let starts = 0; starts < 2; starts += 1) {
        await using _again = await startStage({ postgres, folder })
        assert.deepEqual(await booked(), expected)
      }
    })

    test('a full disk refuses new calls with 503 and sends none; with room again they go through', async () => {
      await stage.admin('DELETE', '/api/providers/child')
      const small = join(folder, 'small')
      mkdirSync(small)
      // A file system of 256 KiB, in a mount namespace that the child alone sees.
      const shell = join(folder, 'node-on-small-disk')
      writeFileSync(
        shell,
        `#!/bin/sh\nexec unshare ${process.getuid?.() === 0 ? '-m' : '-rm'} sh -c 'mount -t tmpfs -o size=256k tmpfs ${small} && exec ${process.execPath} "$@"' sh "$@"\n`,
        { mode: 0o755 },
      )
      const sizes = { segmentBytesMax: '4KiB', backlogBytesMax: '64MiB' }
      const ledger = { syncMs: '10ms', shipMs: '50ms', ...sizes }
      const { modelUrl } = await startChild(small, { execPath: shell }, { ledger })
      const filler = join(`/proc/${findNode(child!.pid!)}/root`, small, 'filler')
      stage.upstream.state.script = (_request, response) =>
        response
          .writeHead(200, { 'content-type': 'application/json' })
          .end('{"usage":{"output_tokens":1}}')
      const url = new URL(modelUrl)
      let served = 0
      const status = async () => {
        const response = await post(url)
        served += Number(response.status === 200)
        return response.status
      }
      assert.equal(await status(), 200)
      const answer = stage.upstream.state.script
      const held: ServerResponse[] = []
      streamThen((response) => held.push(response))
      const underWay = await post(url)
      stage.upstream.state.script = answer
      assert.throws(() => {
        for (;;) appendFileSync(filler, Buffer.alloc(1_024))
      }, /ENOSPC/)
      await until(async () => (await status()) === 503)
      assert.match(await (await post(url)).text(), /ledger can't take another call/)
      held[0]!.end(end)
      assert.equal(await underWay.text(), start + words + end)
      stage.upstream.seen.length = 0
      assert.equal((await post(url)).status, 503)
      assert.equal(stage.upstream.seen.length, 0)
      unlinkSync(filler)
      await until(async () => (await status()) === 200)
      const booked = (outputTokens: number) =>
        postgres.query(
          `select id from proxy.calls where provider = 'child' and model = 'm-1' and state = 'settled' and output_tokens = $1`,
          [outputTokens],
        )
      await until(async () => (await booked(1)).length === served)
      assert.equal((await booked(12)).length, 1, 'the one that ended meanwhile')
    })
  })
})

const peersUrlOf = (stage: Stage) => stage.deps.urls.get('auth')!.href

/** The shell execs into unshare, which execs into node: one process, or a child of it. */
function findNode(pid: number): number {
  const children = spawnSync('cat', [`/proc/${pid}/task/${pid}/children`])
    .stdout.toString()
    .trim()
  return children === '' ? pid : findNode(Number(children.split(' ')[0]))
}
