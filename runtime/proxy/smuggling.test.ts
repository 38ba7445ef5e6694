import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { startPostgres } from '../testing/postgres.ts'
import { clientKey, exchange, type Stage, startStage } from './testing/stage.ts'

const body = JSON.stringify({ model: 'm-1', messages: [] })

describe('between a client and the upstream', () => {
  const owned = new AsyncDisposableStack()
  let stage: Stage
  before(async () => {
    const postgres = owned.use(await startPostgres())
    stage = owned.use(await startStage({ postgres }))
    await stage.addProvider()
  })
  after(() => owned.disposeAsync())
  beforeEach(() => {
    stage.upstream.seen.length = 0
    stage.upstream.state.script = (_request, response) => response.end('{}')
  })

  describe('framing', () => {
    const head = `POST /v1/messages HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${clientKey}\r\n`
    for (const [title, text, status] of [
      [
        'two lengths',
        `${head}content-length: ${body.length}\r\ncontent-length: 1\r\n\r\n${body}`,
        400,
      ],
      [
        'a length and chunks',
        `${head}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
        400,
      ],
      [
        'chunks under another coding',
        `${head}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
        400,
      ],
      [
        'chunks said twice',
        `${head}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
        400,
      ],
      ['a space before the colon', `${head}content-length : 4\r\n\r\n{}{}`, 400],
      ['a bare line feed in a header', `${head}x: a\nhost: evil\r\n\r\n`, 400],
      ['two hosts', `${head}host: y\r\ncontent-length: ${body.length}\r\n\r\n${body}`, 400],
      [
        'HTTP/1.0',
        `${head.replace('1.1', '1.0')}content-length: ${body.length}\r\n\r\n${body}`,
        505,
      ],
      [
        'an absolute target',
        `${head.replace('/v1/messages', 'http://evil/v1/messages')}content-length: 2\r\n\r\n{}`,
        404,
      ],
      [
        'dot segments',
        `${head.replace('/v1/messages', '/x/../v1/messages')}content-length: 2\r\n\r\n{}`,
        404,
      ],
      [
        'an escaped path',
        `${head.replace('/v1/messages', '/v1%2Fmessages')}content-length: 2\r\n\r\n{}`,
        404,
      ],
      [
        'a doubled slash',
        `${head.replace('/v1/messages', '//v1/messages')}content-length: 2\r\n\r\n{}`,
        404,
      ],
    ] as const) {
      test(`${title} is answered with ${status} and never sent on`, async () => {
        assert.match(
          await exchange(stage.url, text, (got) => got.includes('\r\n\r\n')),
          new RegExp(`^HTTP/1.1 ${status} `),
        )
        assert.equal(stage.upstream.seen.length, 0)
      })
    }
  })

  test("headers that are nobody's business stay here, both ways", async () => {
    stage.upstream.state.script = (_request, response) =>
      response
        .writeHead(200, {
          'set-cookie': 'a=b',
          'keep-alive': 'timeout=9',
          connection: 'x-hop',
          'x-hop': '1',
          'x-kept': '1',
        })
        .end('{}')
    const dropped = {
      cookie: 'a=b',
      'x-forwarded-for': '1.2.3.4',
      'x-forwarded-anything': 'x',
      forwarded: 'for=x',
      via: 'x',
      'api-key': 'k',
      'x-goog-api-key': 'k',
      'proxy-authorization': 'k',
      te: 'trailers',
      'x-real-ip': '1',
      'x-named': '1',
      'keep-alive': 'x',
    }
    const lines = Object.entries(dropped)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('')
    const head = `POST /v1/messages HTTP/1.1\r\nhost: evil.example\r\nauthorization: Bearer ${clientKey}\r\nconnection: x-named, close\r\nx-kept: 1\r\n`
    const got = await exchange(
      stage.url,
      `${head}${lines}content-length: ${body.length}\r\n\r\n${body}`,
    )
    const [seen] = stage.upstream.seen
    for (const name of [...Object.keys(dropped), 'authorization'])
      assert.equal(seen!.headers[name], undefined, name)
    assert.equal(seen!.headers['x-kept'], '1')
    assert.equal(seen!.headers.host, stage.upstream.url.host)
    assert.equal(seen!.rawHeaders.filter((name) => name.toLowerCase() === 'x-api-key').length, 1)
    assert.match(got, /x-kept: 1/)
    assert.doesNotMatch(got, /set-cookie|x-hop|timeout=9/i)
  })
})
