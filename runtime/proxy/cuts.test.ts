// Streams that are cut behind each of their events, by the upstream and by the client, on every wire.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type IncomingMessage, request, type ServerResponse } from 'node:http'
import { after, afterEach, before, describe, test } from 'node:test'
import { startPostgres } from '../testing/postgres.ts'
import type { Call } from './api.ts'
import { addBudget, assertQuiet, tightBodies } from './testing/quiet.ts'
import { clientKey, type Stage, startStage, until } from './testing/stage.ts'
import { chunk, closing, delta, start, text } from './wires/testing.ts'

const closedMs = 50
const closedMsMax = 250 // Tests run on busy machines.
const words = 'w'.repeat(40)
const wordTokens = 10
const tally = { prompt_tokens: 50, completion_tokens: 31, total_tokens: 81 }

type Streamed = {
  path: string
  body: object
  events: readonly object[]
  /** Behind which of them the vendor's own count has come; before that there may be one of the prompt. */
  countedAt: number
  promptAt?: number
  /** Which of them its client is not shown. */
  hidden?: number
}
const asked = { model: 'm-1', stream: true }
const words3 = (event: object) => [event, event, event]

const chat = {
  path: '/v1/chat/completions',
  body: { ...asked, model: 'c-1', messages: [], stream_options: { include_usage: true } },
  events: [
    ...words3(chunk({}, { delta: { content: words } })),
    chunk({}, { finish_reason: 'stop' }),
    { ...chunk({ usage: tally }), choices: [] },
  ],
  countedAt: 5,
} as const

const streams: Readonly<Record<string, Streamed>> = {
  messages: {
    path: '/v1/messages',
    body: { ...asked, max_tokens: 99, messages: [{ role: 'user', content: 'x' }] },
    events: [
      start({ input_tokens: 50, output_tokens: 1 }),
      ...words3(text(words)),
      delta({ output_tokens: 31 }),
      { type: 'message_stop' },
    ],
    promptAt: 1,
    countedAt: 5,
  },
  chat,
  'chat, where its client did not ask for usage': {
    ...chat,
    body: { ...asked, model: 'c-1', messages: [] },
    hidden: 5,
  },
  responses: {
    path: '/v1/responses',
    body: { ...asked, model: 'c-1', input: 'x' },
    events: [
      closing('created', { status: 'in_progress' }),
      ...words3({ type: 'response.output_text.delta', delta: words }),
      closing('completed', { status: 'completed', usage: { input_tokens: 50, output_tokens: 31 } }),
    ],
    countedAt: 5,
  },
  gemini: {
    path: '/v1beta/models/g-1:streamGenerateContent?alt=sse',
    body: { contents: [{ parts: [{ text: 'x' }] }] },
    events: [
      ...words3({ candidates: [{ content: { parts: [{ text: words }] } }] }),
      {
        candidates: [{ finishReason: 'STOP' }],
        usageMetadata: { promptTokenCount: 50, candidatesTokenCount: 31, totalTokenCount: 81 },
      },
    ],
    countedAt: 4,
  },
}

describe('a stream that is cut', () => {
  const owned = new AsyncDisposableStack()
  let stage: Stage
  before(async () => {
    const postgres = owned.use(await startPostgres())
    const config = { ...tightBodies, answerHeaders: ['call'] }
    stage = owned.use(await startStage({ postgres, config }))
    await stage.addProvider()
    await stage.addProvider({ name: 'open', kind: 'openai', models: ['c-1'] })
    await stage.addProvider({ name: 'google', kind: 'gemini', models: ['g-1'] })
    await addBudget(stage, 'requests', 10_000)
  })
  after(() => owned.disposeAsync())
  afterEach(() => assertQuiet(stage, ['requests']))

  const frame = (event: object) => `data: ${JSON.stringify(event)}\n\n`
  const toShown = ({ events, hidden = 99 }: Streamed, count: number) =>
    events
      .slice(0, Math.min(count, hidden - 1))
      .map(frame)
      .join('')
  const sayThen = (events: readonly object[], then: (response: ServerResponse) => void) => {
    stage.upstream.state.script = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.flushHeaders()
      for (const event of events) response.write(frame(event))
      then(response)
    }
  }

  async function begin({ path, body }: Streamed) {
    const headers = { authorization: `Bearer ${clientKey}`, 'content-type': 'application/json' }
    const sent = request(new URL(path, stage.url), { method: 'POST', headers, agent: false })
    sent.on('error', () => {}) // The answer tells it as well.
    sent.end(JSON.stringify(body))
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    const told = { got: '', end: '' }
    response.setEncoding('utf8').on('data', (piece: string) => {
      told.got += piece
    })
    response.on('error', () => {}) // What the socket says tells a reset from an end that came too early.
    sent.socket!.on('error', ({ code }: NodeJS.ErrnoException) => {
      told.end = `${code}`
    })
    response.on('end', () => {
      told.end = 'whole'
    })
    return { sent, told, status: response.statusCode, id: `${response.headers['x-treadle-call']}` }
  }

  async function readCall(id: string): Promise<Call> {
    const response = await stage.admin('GET', `/api/calls/${id}`)
    assert.equal(response.status, 200)
    return (await response.json()) as Call
  }

  /** Booked with what came: exactly where the vendor counted, by its words where it did not. */
  async function assertBooked(id: string, streamed: Streamed, events: number, error: RegExp) {
    await until(async () => (await readCall(id)).state !== 'begun')
    const { state, usage, error: said } = await readCall(id)
    const { body, countedAt, promptAt = countedAt } = streamed
    const spoken = streamed.events.slice(0, events).map((event) => JSON.stringify(event))
    const heard = spoken.filter((event) => event.includes(words)).length * wordTokens
    const least = promptAt < countedAt && events >= promptAt ? 1 : 0 // Anthropic's first event counts one.
    const inputTokens = events >= promptAt ? 50 : Math.ceil(JSON.stringify(body).length / 4)
    const outputTokens = events >= countedAt ? 31 : Math.max(heard, least)
    assert.deepEqual(
      [state, usage.inputTokens, usage.outputTokens],
      [events >= countedAt ? 'settled' : 'estimated', inputTokens, outputTokens],
    )
    assert.match(String(said), error)
  }

  for (const [wire, streamed] of Object.entries(streams)) {
    test(`by its upstream behind each event is a reset, on ${wire}`, async () => {
      for (let events = 0; events <= streamed.events.length; events += 1) {
        const said = streamed.events.slice(0, events)
        sayThen(said, (response) => setTimeout(() => response.destroy(), 5))
        const { told, status, id } = await begin(streamed)
        await until(() => told.end !== '')
        assert.deepEqual([status, told.end], [200, 'ECONNRESET'], `behind ${events} events`)
        assert.equal(told.got, toShown(streamed, events))
        await assertBooked(id, streamed, events, /hung up|ECONNRESET/)
      }
    })

    test(`by its client behind each event ends its upstream at once, on ${wire}`, async () => {
      const took: number[] = []
      for (let events = 0; events <= streamed.events.length; events += 1) {
        const said = streamed.events.slice(0, events)
        stage.upstream.state.aborted = []
        sayThen(said, () => {})
        const { sent, told, id } = await begin(streamed)
        await until(() => told.got === toShown(streamed, events))
        const left = performance.now()
        sent.destroy()
        await until(() => stage.upstream.state.aborted.length === 1)
        took.push(stage.upstream.state.aborted[0]! - left)
        await assertBooked(id, streamed, events, /the client left/)
      }
      const [usual, longest] = [
        took.toSorted((a, b) => a - b)[took.length >> 1]!,
        Math.max(...took),
      ]
      assert.ok(usual < closedMs && longest < closedMsMax, `closed after ${took} ms`)
    })
  }
})
