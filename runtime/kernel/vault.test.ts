import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
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
  assert.notDeepEqual(vault.seal('acme', secret), vault.seal('acme', secret))
})

test('a secret shows itself to no printer', () => {
  assert.equal(
    `${secret} ${JSON.stringify({ secret })} ${inspect({ secret })}`.includes('canary'),
    false,
  )
})
