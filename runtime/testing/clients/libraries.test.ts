// Each library as its users have it, unchanged, through the proxy to a vendor: what it gets, what it shows of an error, and
// how often it asks again.
import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { after, before, beforeEach, describe, test } from 'node:test'
import OpenAI from 'openai'
import { createLog } from '#kernel/log.ts'
import { clientKey, type Stage, startStage } from '../../proxy/testing/stage.ts'
import { startPostgres } from '../postgres.ts'
import { readFastShare } from './lanes.ts'
import { libraries } from './libraries.ts'
import { answerAsVendor, hello, refusal } from './vendor.ts'

describe('libraries', () => {
  const owned = new AsyncDisposableStack()
  let stage: Stage
  let logged = ''
  before(async () => {
    const kept = new Writable({
      write(chunk: Buffer, _encoding, done) {
        logged += chunk
        done()
      },
    })
    const postgres = owned.use(await startPostgres())
    stage = owned.use(await startStage({ postgres, log: createLog('info', kept) }))
    for (const [name, kind, models] of [
      ['claude', 'anthropic', ['m', 'm-400', 'm-busy']],
      ['openai', 'openai', ['m', 'm-400', 'm-busy']],
      ['google', 'gemini', ['m', 'm-400', 'm-busy']],
    ] as const) {
      await stage.addProvider({ name, kind, models: [...models] })
    }
    stage.upstream.state.script = answerAsVendor
  })
  after(() => owned.disposeAsync())
  beforeEach(() => {
    stage.upstream.seen.length = 0
  })

  for (const [title, { call, wire, neverRepeats }] of Object.entries(libraries)) {
    const ask = { model: 'm', isStream: false, hasTool: false }
    const asked = (more: Partial<typeof ask>) => call(stage.url, clientKey, { ...ask, ...more })
    for (const isStream of [false, true]) {
      const how = isStream ? 'a stream' : 'an answer'
      test(`${title} gets ${how}, and its tool called`, async () => {
        assert.deepEqual(await asked({ isStream }), { text: hello, tool: null })
        const { tool } = await asked({ isStream, hasTool: true })
        assert.deepEqual(tool, { name: 'get_weather', input: { city: 'Bern' } })
        assert.equal(stage.upstream.seen.length, 2)
        const sent = JSON.stringify(
          stage.upstream.seen.map(({ url, rawHeaders }) => [url, rawHeaders]),
        )
        assert.ok(!sent.includes(clientKey))
      })

      test(`${title} shows the vendor's own error of ${how}, and asks once`, async () => {
        await assert.rejects(asked({ model: 'm-400', isStream }), (error) =>
          `${error}`.includes(refusal),
        )
        assert.equal(stage.upstream.seen.length, 1)
      })

      test(`${title} shows why ${how} is denied, and asks once`, async () => {
        const model = `nobody-${title.replace(/\W/g, '')}-${isStream}`
        await assert.rejects(asked({ model, isStream }), /No provider serves this model here/)
        assert.equal(logged.split(`lists ${model} on`).length - 1, 1)
        assert.equal(stage.upstream.seen.length, 0)
      })
    }

    test(`${title} ${neverRepeats ? 'shows its user' : 'asks again'} over ${wire} when the vendor is overloaded`, async () => {
      const model = 'm-busy'
      if (neverRepeats)
        await assert.rejects(asked({ model }), (error) => `${error}`.includes(refusal))
      assert.equal((await asked({ model })).text, hello)
      assert.equal(stage.upstream.seen.length, 2)
    })
  }

  test('openai gets embeddings in the form that it asks for', async () => {
    const client = new OpenAI({ apiKey: clientKey, baseURL: `${stage.url.origin}/v1` })
    const { data } = await client.embeddings.create({ model: 'm', input: 'hi' })
    assert.deepEqual(data[0]!.embedding, [0.5, 1])
    assert.match(stage.upstream.seen[0]!.body.toString(), /"encoding_format":"base64"/)
  })

  test('all of these are plain enough for the fast lane', async () => {
    const { requests, share } = await readFastShare(stage)
    assert.ok(requests > 100 && share >= 0.99, `${share} of ${requests}`)
  })
})
