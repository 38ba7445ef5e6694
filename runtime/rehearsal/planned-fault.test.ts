import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { listen } from '#kernel/http.ts'
import { createLog } from '#kernel/log.ts'
import { Secret } from '#kernel/secret.ts'
import { type LoggedCall, openCallLog } from './call-log.ts'
import { createFaultSwitch, type PlannedFault, planStream } from './planned-fault.ts'
import { rehearsalRoutes } from './routes.ts'

describe('a stream under a fault', () => {
  const events = ['a', 'b', 'c', 'd'].map((name) => ({ name, data: {} }))
  const cases: [PlannedFault, string, string][] = [
    [{}, 'abcd', 'whole'],
    [{ omit: ['b', 'd'] }, 'ac', 'whole'],
    [{ cutAfter: 0 }, '', 'cut'],
    [{ cutAfter: 2 }, 'ab', 'cut'],
    [{ cutAfter: -1 }, 'abc', 'cut'],
    [{ cutAfter: -9 }, '', 'cut'],
    [{ cutAfter: 9 }, 'abcd', 'whole'],
    [{ endAfter: 1 }, 'a', 'ended-early'],
    [{ endAfter: 2, omit: ['a'] }, 'bc', 'ended-early'],
    [{ endAfter: 2, cutAfter: 1 }, 'a', 'cut'],
  ]
  for (const [fault, names, end] of cases) {
    test(`${JSON.stringify(fault)} leaves '${names}', ${end}`, () => {
      const planned = planStream(events, fault)
      assert.equal(planned.events.map(({ name }) => name).join(''), names)
      assert.equal(planned.end, end)
    })
  }
})

describe('the switch for faults', () => {
  const owned = new AsyncDisposableStack()
  const folder = mkdtempSync(join(tmpdir(), 'rehearsal-faults-'))
  const logFile = join(folder, 'calls.jsonl')
  let url = ''

  before(async () => {
    const routes = rehearsalRoutes({
      key: new Secret('sk'),
      faults: createFaultSwitch({}),
      log: owned.use(openCallLog(logFile)),
      now: () => new Date(),
      delayMs: 0,
      logsBodies: false,
    })
    url = owned.use(await listen(routes, 0, createLog('silent', process.stderr))).url.origin
  })
  beforeEach(() => plan({}))
  after(async () => {
    await owned.disposeAsync()
    rmSync(folder, { recursive: true })
  })

  const post = (path: string, body: object, init: RequestInit = {}) => {
    const headers = { authorization: 'Bearer sk', 'content-type': 'application/json' }
    return fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body), ...init })
  }
  const plan = async (fault: object) => (await post('/rehearsal/fault', fault)).status
  const ask = (script = 'no-progress', init?: RequestInit, stream = true) => {
    const messages = [{ role: 'user', content: 'Go.' }]
    const body = { model: `rehearsal/${script}`, messages, stream }
    return post('/v1/chat/completions', body, init)
  }
  const lastLogged = () =>
    JSON.parse(readFileSync(logFile, 'utf8').trim().split('\n').at(-1)!) as LoggedCall

  test('a status comes with its words and headers, in the shape of the wire', async () => {
    const headers = { 'retry-after': '7' }
    await plan({ status: 429, message: 'Slowly.', type: 'tokens', headers })
    const response = await ask()
    assert.equal(response.status, 429)
    assert.equal(response.headers.get('retry-after'), '7')
    const { error } = (await response.json()) as { error: object }
    const expected = {
      message: 'Slowly.',
      type: 'tokens',
      param: null,
      code: 'rate_limit_exceeded',
    }
    assert.deepEqual(error, expected)
    assert.equal(lastLogged().error, 'Slowly.')
  })

  test('a cut breaks the answer off after what was sent', async () => {
    await plan({ cutAfter: 1 })
    const response = await ask()
    let got = ''
    await assert.rejects(async () => {
      for await (const chunk of response.body!) got += Buffer.from(chunk).toString()
    })
    assert.match(got, /^data: \{[^\n]*"role":"assistant"[^\n]*\n\n$/)
    const { end, usage, usageSent } = lastLogged()
    assert.deepEqual([end, usage?.outputTokens, usageSent], ['cut', 40, false])
  })

  test('an answer that is no stream is cut as a whole', async () => {
    await plan({ cutAfter: 1 })
    await assert.rejects(ask('no-progress', {}, false))
    assert.deepEqual([lastLogged().end, lastLogged().usageSent], ['cut', false])
  })

  test('an early end looks like a whole answer, and is logged as what it is', async () => {
    await plan({ endAfter: 2 })
    const text = await (await ask()).text()
    assert.equal(text.match(/data: /g)?.length, 2)
    assert.doesNotMatch(text, /DONE/)
    assert.equal(lastLogged().end, 'ended-early')
  })

  test('an event can be left out by name', async () => {
    await plan({ omit: ['[DONE]'] })
    assert.doesNotMatch(await (await ask()).text(), /DONE/)
  })

  test('a fault for two calls spares the third', async () => {
    await plan({ status: 503, times: 2 })
    const statuses = []
    for (let call = 0; call < 3; call += 1) statuses.push((await ask()).status)
    assert.deepEqual(statuses, [503, 503, 200])
  })

  test('a fault for one model spares the others', async () => {
    await plan({ status: 500, only: 'rehearsal/same-error' })
    assert.deepEqual([(await ask('same-error')).status, (await ask()).status], [500, 200])
  })

  test('a stall holds the answer back, and a client that leaves is logged', async () => {
    await plan({ stallMs: 200 })
    const from = performance.now()
    assert.equal((await ask()).status, 200)
    assert.ok(performance.now() - from >= 199)
    await plan({ stallMs: 60_000 })
    await assert.rejects(ask('slow', { signal: AbortSignal.timeout(50) }))
    for (let tries = 0; lastLogged().end !== 'left' && tries < 100; tries += 1) await sleep(20)
    assert.deepEqual([lastLogged().end, lastLogged().status], ['left', null])
  })

  test('a stall before a cut holds the open stream', async () => {
    await plan({ stallMs: 200, cutAfter: 2 })
    const response = await ask()
    const from = performance.now()
    await assert.rejects(response.text())
    assert.ok(performance.now() - from >= 150)
  })

  for (const [title, fault] of [
    ['an unknown key', { statuss: 500 }],
    ['a status that is no error', { status: 200 }],
    ['a header with a line break', { headers: { 'x-a': 'b\nc' } }],
  ] as const) {
    test(`a fault with ${title} is refused`, async () => assert.equal(await plan(fault), 400))
  }

  test('who lacks the key cannot plan a fault', async () => {
    const body = JSON.stringify({ status: 500 })
    const response = await fetch(`${url}/rehearsal/fault`, { method: 'POST', body })
    assert.equal(response.status, 401)
    assert.equal((await ask()).status, 200)
  })
})
