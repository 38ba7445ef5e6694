import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { describe, test } from 'node:test'
import { isDirect } from './direct.ts'

const requestFrom = (remoteAddress: string | undefined, headers: Record<string, string> = {}) =>
  ({
    socket: { remoteAddress, localPort: 7400 },
    headers: { host: '127.0.0.1:7400', ...headers },
  }) as unknown as IncomingMessage

describe('a request straight from this machine', () => {
  for (const address of ['127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1']) {
    test(`comes from ${address}`, () => assert.ok(isDirect(requestFrom(address))))
  }

  for (const address of ['10.0.0.2', '::ffff:10.0.0.2', 'fe80::1', '1.127.0.1', '', undefined]) {
    test(`does not come from ${address || 'nowhere known'} (${typeof address})`, () => {
      assert.ok(!isDirect(requestFrom(address)))
    })
  }

  for (const host of ['localhost:7400', 'LOCALHOST:7400', '[::1]:7400']) {
    test(`may name it ${host}`, () => assert.ok(isDirect(requestFrom('127.0.0.1', { host }))))
  }

  for (const host of [
    'treadle.example.org',
    '127.0.0.1',
    '127.0.0.1:7401',
    '127.0.0.1.evil:7400',
  ]) {
    test(`does not name it ${host}`, () => {
      assert.ok(!isDirect(requestFrom('127.0.0.1', { host })))
    })
  }
})
