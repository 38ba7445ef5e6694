// Each library reads on over the pings of a route, before the first event and between two.
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { clientKey, type Stage, startStage } from '../../proxy/testing/stage.ts'
import { startPostgres } from '../postgres.ts'
import { libraries } from './libraries.ts'
import { answerAsVendor, hello } from './vendor.ts'

const silenceMs = 1_300 // A ping comes after a second.

/** Its head at once, then silence, an event, silence, and the rest. */
function slowed(response: ServerResponse): ServerResponse {
  const pieces: string[] = []
  const play = async () => {
    await sleep(silenceMs)
    response.write(pieces[0]!)
    await sleep(silenceMs)
    response.end(pieces.slice(1).join(''))
  }
  const stand = {
    writeHead: (status: number, headers: Record<string, string>) =>
      response.writeHead(status, headers).flushHeaders(),
    write: (text: string) => pieces.push(text),
    end(text: string) {
      pieces.push(text)
      void play()
    },
  }
  return stand as unknown as ServerResponse
}

describe('a stream with pings', () => {
  const owned = new AsyncDisposableStack()
  let stage: Stage
  const results = new Map<string, Promise<unknown>>()
  before(async () => {
    const postgres = owned.use(await startPostgres())
    stage = owned.use(await startStage({ postgres }))
    const targets = []
    for (const [name, kind] of [
      ['claude', 'anthropic'],
      ['openai', 'openai'],
      ['google', 'gemini'],
    ] as const) {
      await stage.addProvider({ name, kind, models: ['m'] })
      targets.push({ provider: name })
    }
    const route = { name: 'pinged', match: { models: ['m'] }, targets, pingS: 1 }
    assert.equal((await stage.admin('POST', '/api/routes', route)).status, 201)
    stage.upstream.state.script = (seen, response) => answerAsVendor(seen, slowed(response))
    const ask = { model: 'm', isStream: true, hasTool: false }
    for (const [title, { call }] of Object.entries(libraries)) {
      const result = call(stage.url, clientKey, ask)
      result.catch(() => {}) // Its own test says so.
      results.set(title, result)
    }
  })
  after(() => owned.disposeAsync())

  for (const title of Object.keys(libraries)) {
    test(`is read by ${title}`, async () => {
      assert.deepEqual(await results.get(title), { text: hello, tool: null })
    })
  }

  test('has them on each wire', async () => {
    const texts = await Promise.all(
      ['/v1/messages', '/v1/chat/completions', '/v1/responses'].map(async (path) => {
        const body = JSON.stringify({ model: 'm', stream: true, max_tokens: 9 })
        const headers = { 'x-api-key': clientKey }
        const sent =
          path === '/v1/responses' ? body.replace('max_tokens', 'max_output_tokens') : body
        return (
          await fetch(new URL(path, stage.url), { method: 'POST', headers, body: sent })
        ).text()
      }),
    )
    assert.deepEqual(
      texts.map(
        (text) => text.split(/event: ping\ndata: \{"type": "ping"\}|: keep-alive/).length - 1,
      ),
      [2, 2, 2],
    )
  })
})
