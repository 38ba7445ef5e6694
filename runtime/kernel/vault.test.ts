import assert from 'node:assert/strict'
import { createDecipheriv, randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import { Secret } from './secret.ts'
import { createVault } from './vault.ts'

const vault = createVault(randomBytes(32))
const secret = new Secret('sk-canary')

test('a sealed credential opens with the same master key and name', () => {
  assert.equal(vault.open('acme', vault.seal('acme', secret)).reveal(), 'sk-canary')
})

test('another name, another master key and a changed byte all fail alike', () => {
  const sealed = vault.seal('acme', secret)
  const changed = Buffer.from(sealed.ciphertext)
  changed[15]! ^= 1
  const refused = /credential acme can't be opened/
  assert.throws(() => createVault(randomBytes(32)).open('acme', sealed), refused)
  assert.throws(() => vault.open('acme', { ...sealed, ciphertext: changed }), refused)
  assert.throws(() => vault.open('acme', vault.seal('other', secret)), refused)
})

test('a cut row fails like a wrong one', () => {
  const { wrappedKey } = vault.seal('acme', secret)
  assert.throws(
    () => vault.open('acme', { wrappedKey, ciphertext: Buffer.alloc(3) }),
    /can't be opened/,
  )
})

test('two seals of one secret share no bytes that tell so', () => {
  const [one, other] = [vault.seal('acme', secret), vault.seal('acme', secret)]
  for (const part of ['wrappedKey', 'ciphertext'] as const)
    assert.notDeepEqual(one[part].subarray(0, 12), other[part].subarray(0, 12), `the iv of ${part}`)
})

test('each credential is under a data key of its own, and none under the master key', () => {
  const masterKey = randomBytes(32)
  const own = createVault(masterKey)
  const open = (key: Buffer, sealed: Buffer) => {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12))
    decipher.setAAD(Buffer.from('acme')).setAuthTag(sealed.subarray(-16))
    return Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()])
  }
  const keys = [1, 2].map(() => {
    const { wrappedKey, ciphertext } = own.seal('acme', secret)
    assert.throws(() => open(masterKey, ciphertext))
    const dataKey = open(masterKey, wrappedKey)
    assert.equal(open(dataKey, ciphertext).toString(), 'sk-canary')
    return dataKey
  })
  assert.notDeepEqual(keys[0], keys[1])
})

test('a secret shows itself to no printer', () => {
  assert.equal(
    `${secret} ${JSON.stringify({ secret })} ${inspect({ secret })}`.includes('canary'),
    false,
  )
})

describe('a master key that is changed', () => {
  const [before, now] = [randomBytes(32), randomBytes(32)]
  const old = createVault(before).seal('acme', secret)
  const changing = createVault(now, before)

  test('what is under the one before still opens, and moves under the new one', () => {
    assert.equal(changing.open('acme', old).reveal(), 'sk-canary')
    const moved = changing.rewrap('acme', old)!
    assert.equal(createVault(now).open('acme', moved).reveal(), 'sk-canary')
    assert.throws(() => createVault(before).open('acme', moved), /can't be opened/)
    assert.deepEqual(moved.ciphertext, old.ciphertext) // The credential itself is not touched.
  })

  test('what is under the new one is left as it is', () => {
    assert.equal(changing.rewrap('acme', changing.seal('acme', secret)), null)
    assert.equal(changing.rewrap('acme', changing.rewrap('acme', old)!), null)
  })

  test('what is under neither, or is another name’s, is not moved', () => {
    assert.throws(() => createVault(randomBytes(32), now).rewrap('acme', old), /can't be opened/)
    assert.throws(() => changing.rewrap('other', old), /credential other can't be opened/)
  })

  test('a key of another length is refused, whichever it is', () => {
    assert.throws(() => createVault(now, randomBytes(31)), /32 bytes/)
    assert.throws(() => createVault(randomBytes(33), now), /32 bytes/)
  })
})
