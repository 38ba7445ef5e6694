import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { startPostgres } from '../testing/postgres.ts'
import { clientKey, exchange, type Stage, startStage } from './testing/stage.ts'

const model = 'gemini-2.5-pro'
const body = { contents: [{ role: 'user', parts: [{ text: 'hi' }] }] }

describe('a call on the Gemini wire', () => {
  const owned = new AsyncDisposableStack()
  let stage: Stage
  before(async () => {
    const postgres = owned.use(await startPostgres())
    stage = owned.use(await startStage({ postgres }))
    await stage.addProvider({ name: 'google', kind: 'gemini', models: [model, 'tuned/x'] })
  })
  after(() => owned.disposeAsync())
  beforeEach(() => {
    stage.upstream.seen.length = 0
    stage.upstream.state.script = (_request, response) => response.end('{}')
  })

  const post = (path: string, sent: object = body) =>
    fetch(new URL(path, stage.url), {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-goog-api-key': clientKey },
      body: JSON.stringify(sent),
    })
  const pathOf = (verb: string) => `/v1beta/models/${model}:${verb}`

  describe('the path', () => {
    for (const path of [
      `/v1beta/models/tuned/x:generateContent`,
      `/v1beta/models/tuned%2Fx:generateContent`,
      `/v1/models/tuned%2fx:generateContent`,
    ]) {
      test(`${path} names tuned/x, and is forwarded as it is`, async () => {
        assert.equal((await post(path)).status, 200)
        assert.equal(stage.upstream.seen[0]!.url, path)
      })
    }

    const head = (path: string, text: string) =>
      `POST ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-goog-api-key: ${clientKey}\r\ncontent-length: ${text.length}\r\n\r\n${text}`
    for (const path of [
      '/v1beta/models/tuned/../gemini-2.5-pro:generateContent',
      '/v1beta/models/tuned/%2e%2e/gemini-2.5-pro:generateContent',
      '/v1beta/models/./gemini-2.5-pro:generateContent',
      '/v1beta/models//gemini-2.5-pro:generateContent',
      '/v1beta/models/%2Fgemini-2.5-pro:generateContent',
      '/v1beta/models/tuned%252Fx:generateContent',
      '/v1beta/models/gemini-2%2E5-pro:generateContent',
      '/v1beta/models/gemini-2.5-pro%00:generateContent',
      '/v1beta/models/gemini-2.5-pro%3AgenerateContent',
      '/v1beta/models/gemini-2.5-pro:countTokens:generateContent',
      '/v1beta/models/gemini-2.5-pro%3AcountTokens:generateContent',
      '/v1beta/models/gemini-2.5-pro;x=y:generateContent',
      '/v1beta/models/gemini-2.5-pro\\x:generateContent',
      '/v1beta/models/gemini-2.5-pro:generateContent/',
      '/v1beta/models/gemini-2.5-pro:generatecontent',
      '/v1beta/models/gemini-2.5-pro:batchGenerateContent',
      '/v1beta/models/:generateContent',
      '/V1BETA/models/gemini-2.5-pro:generateContent',
      '/v1alpha/models/gemini-2.5-pro:generateContent',
      '/v1beta%2Fmodels/gemini-2.5-pro:generateContent',
      'http://evil/v1beta/models/gemini-2.5-pro:generateContent',
      `/v1beta/models/${'x'.repeat(201)}:generateContent`,
      '/v1beta/cachedContents',
      '/upload/v1beta/files',
    ]) {
      test(`${path.slice(0, 80)} is no route, and is never sent on`, async () => {
        const got = await exchange(stage.url, head(path, JSON.stringify(body)))
        assert.match(got, /^HTTP\/1.1 404 /)
        assert.equal(stage.upstream.seen.length, 0)
      })
    }
  })

  describe('the query', () => {
    for (const [query, status] of [
      ['', 200],
      ['?', 200],
      ['?alt=sse', 200],
      ['?alt=json', 200],
      ['?alt=proto', 400],
      ['?alt=sse&alt=proto', 400],
      ['?alt=s%73e', 400],
      ['?fields=candidates', 400],
      ['?alt=sse&%24fields=candidates', 400],
      ['?callback=x', 400],
      ['?$httpMethod=GET', 400],
    ] as const) {
      test(`a query of "${query}" is answered with ${status}`, async () => {
        const path = pathOf('streamGenerateContent') + query
        const response = await post(path)
        assert.equal(response.status, status)
        await response.text()
        assert.deepEqual(
          stage.upstream.seen.map(({ url }) => url),
          status === 200 ? [path] : [],
        )
      })
    }

    for (const name of ['KEY', '$key', 'access_token', 'oauth_token']) {
      for (const path of [pathOf('generateContent'), '/v1beta/models', `/v1/models/${model}`]) {
        test(`a credential as ${name} is refused on ${path}, and nothing repeats it`, async () => {
          const method = path.includes(':') ? 'POST' : 'GET'
          const url = new URL(`${path}?alt=json&${name}=${clientKey}`, stage.url)
          const init = method === 'POST' ? { method, body: JSON.stringify(body) } : {}
          const headers = { 'x-goog-api-key': clientKey }
          for (const more of [{}, { headers }]) {
            const response = await fetch(url, { ...init, ...more })
            const text = await response.text()
            assert.equal(response.status, 400)
            assert.match(text, /Send it as x-goog-api-key/)
            assert.ok(!text.includes(clientKey))
          }
          assert.equal(stage.upstream.seen.length, 0)
        })
      }
    }
  })

  describe('the body', () => {
    for (const [title, sent, status] of [
      ['no model', body, 200],
      ['the same model', { ...body, model }, 200],
      ['the same model as a resource', { ...body, model: `models/${model}` }, 200],
      ['another model', { ...body, model: 'models/dear' }, 400],
      ['a model in capitals', { ...body, MODEL: model }, 400],
      ['a list', [body], 400],
    ] as const) {
      test(`with ${title} it is answered with ${status}`, async () => {
        assert.equal((await post(pathOf('generateContent'), sent)).status, status)
        assert.equal(stage.upstream.seen.length, status === 200 ? 1 : 0)
      })
    }
  })
})
