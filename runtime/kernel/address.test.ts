import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createLookup, isPublicAddress } from './address.ts'

describe('an address', () => {
  for (const [address, isPublic] of [
    ['8.8.8.8', true],
    ['160.79.104.10', true],
    ['2606:4700::1111', true],
    ['127.0.0.1', false],
    ['10.1.2.3', false],
    ['172.16.0.1', false],
    ['172.32.0.1', true],
    ['192.168.1.1', false],
    ['169.254.169.254', false],
    ['100.64.0.1', false],
    ['0.0.0.0', false],
    ['224.0.0.1', false],
    ['255.255.255.255', false],
    ['198.18.0.1', false],
    ['192.0.0.8', false],
    ['::', false],
    ['::1', false],
    ['::ffff:127.0.0.1', false],
    ['::ffff:8.8.8.8', false],
    ['fe80::1', false],
    ['fe80::1%eth0', false],
    ['fc00::1', false],
    ['fd00:ec2::254', false],
    ['64:ff9b::7f00:1', false],
    ['2002:7f00:1::', false],
    ['2001:db8::1', false],
    ['2001::1', false],
    ['ff02::1', false],
    ['3fff::1', false],
  ] as const) {
    test(`${address} is ${isPublic ? '' : 'not '}public`, () =>
      assert.equal(isPublicAddress(address), isPublic))
  }

  test('the address that was checked is the one that is connected to', async () => {
    const lists = [[{ address: '8.8.8.8', family: 4 }], [{ address: '127.0.0.1', family: 4 }]]
    const lookup = createLookup(false, async () => lists.shift()!)
    const ask = () =>
      new Promise<unknown>((resolve) =>
        lookup('rebind.example', { all: true }, (error, found) => resolve(error ?? found)),
      )
    assert.deepEqual(await ask(), [{ address: '8.8.8.8', family: 4 }])
    assert.ok((await ask()) instanceof Error)
  })

  test('one private address among public ones refuses the name', async () => {
    const lookup = createLookup(false, async () => [
      { address: '8.8.8.8', family: 4 },
      { address: '10.0.0.1', family: 4 },
    ])
    assert.ok((await new Promise((resolve) => lookup('x', {}, resolve))) instanceof Error)
  })
})
