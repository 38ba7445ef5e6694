import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { json, Router } from 'express'
import { pino } from 'pino'
import { serviceClaims, testSigner, testTrust, tokenFor, userClaims } from '../testing/deps.ts'
import { serviceOf, userOf, withCaller } from './caller.ts'
import { Fault } from './fault.ts'
import { listen } from './http.ts'
import { createPeers } from './peers.ts'
import { createVerifier, type RoleName } from './tokens.ts'

const log = pino({ level: 'silent' })
const routes = () =>
  Router()
    .use(json({ limit: '1kb' }))
    .get('/fault', () => {
      throw new Fault(
        'tea/cold',
        { status: 409, text: 'The tea is cold.' },
        { detail: 'pot 7', say: 'Warm it.' },
      )
    })
    .get('/crash', () => {
      throw new Error('password=hunter2')
    })
    .use(withCaller(createVerifier('spool', testTrust)))
    .post(
      '/echo',
      (request, response) =>
        response.json({ by: serviceOf(response, 'weaver').sub, got: request.body }) && undefined,
    )
    .get('/me', (_request, response) => response.json({ by: userOf(response).sub }) && undefined)

describe('http', () => {
  const get = async (path: string, token?: string) => {
    await using served = await listen(routes(), 0, log)
    const response = await fetch(
      new URL(path, served.url),
      token ? { headers: { authorization: `Bearer ${token}` } } : {},
    )
    return {
      status: response.status,
      body: (await response.json()) as { code: string; message: string },
    }
  }

  test('a fault becomes its status and its public words, without the detail', async () => {
    const { status, body } = await get('/fault')
    assert.deepEqual(
      [status, body],
      [409, { code: 'tea/cold', message: 'The tea is cold. Warm it.' }],
    )
  })

  test('an unforeseen error tells the caller nothing but a request id', async () => {
    const { status, body } = await get('/crash')
    assert.deepEqual([status, body.code], [500, 'internal'])
    assert.doesNotMatch(JSON.stringify(body), /hunter2/)
  })

  test('a path that nobody answers says so', async () => {
    const { status, body } = await get('/nowhere', await tokenFor(userClaims(), 'spool'))
    assert.deepEqual([status, body.code], [404, 'route/absent'])
  })

  test('a route behind a caller asks who calls, and of which kind', async () => {
    assert.equal((await get('/me')).status, 401)
    assert.equal((await get('/me', await tokenFor(serviceClaims('weaver'), 'spool'))).status, 403)
    assert.equal((await get('/me', await tokenFor(userClaims(), 'spool'))).status, 200)
  })
})

describe('peers', () => {
  test('a role calls another as itself, and gets its faults back', async () => {
    await using served = await listen(routes(), 0, log)
    const peers = createPeers(
      'weaver',
      testSigner('weaver'),
      new Map<RoleName, URL>([['spool', served.url]]),
    )
    assert.deepEqual(await peers.json('spool', { method: 'POST', path: '/echo', json: { n: 1 } }), {
      by: 'weaver',
      got: { n: 1 },
    })
    await assert.rejects(peers.json('spool', { path: '/fault' }), { code: 'tea/cold', status: 409 })
  })

  test('a role that is not up is a fault, and so is one that is not allowed', async () => {
    await using served = await listen(routes(), 0, log)
    const peers = createPeers(
      'proxy',
      testSigner('proxy'),
      new Map<RoleName, URL>([['spool', served.url]]),
    )
    await assert.rejects(peers.json('auth', { path: '/' }), { code: 'peer/absent', status: 503 })
    await assert.rejects(peers.json('spool', { method: 'POST', path: '/echo', json: {} }), {
      code: 'caller/wrong-kind',
      status: 403,
    })
  })
})
