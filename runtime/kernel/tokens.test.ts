import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SignJWT } from 'jose'
import { serviceClaims, testSigner, testTrust, tokenFor, userClaims } from '../testing/deps.ts'
import { createVerifier, type SandboxClaims } from './tokens.ts'

const sandbox: SandboxClaims = {
  kind: 'sandbox',
  sub: 's1',
  org: 'default',
  user: 'owner',
  loop: 'l',
  pass: 1,
  attempt: 1,
  model: 'm',
}

describe('tokens', () => {
  const verify = createVerifier('spool', testTrust)

  test('claims come back from a token for this audience', async () => {
    assert.deepEqual(await verify(await tokenFor(userClaims(), 'spool')), userClaims())
  })

  test('a token for another audience says nothing here', async () => {
    assert.equal(await verify(await tokenFor(userClaims(), 'weaver')), undefined)
  })

  test('an expired token says nothing', async () => {
    assert.equal(await verify(await tokenFor(userClaims(), 'spool', -60_000)), undefined)
  })

  for (const [title, issuer, claims] of [
    ['a role other than auth cannot speak for a person', 'weaver', userClaims()],
    ['a role other than weaver cannot speak for a sandbox', 'spool', sandbox],
    ['a role cannot speak for another role', 'proxy', serviceClaims('spool')],
  ] as const) {
    test(title, async () => {
      assert.equal(await verify(await testSigner(issuer)(claims, 'spool', 60_000)), undefined)
    })
  }

  test('a token signed with a shared secret or with nothing is refused', async () => {
    const secret = Buffer.from(testTrust.auth)
    const forged = await new SignJWT({ ...userClaims() })
      .setProtectedHeader({ alg: 'HS256', kid: 'auth' })
      .setSubject('owner')
      .setIssuer('auth')
      .setAudience('spool')
      .setExpirationTime('1m')
      .sign(secret)
    const [, payload] = forged.split('.')
    const none = `${Buffer.from('{"alg":"none","kid":"auth"}').toString('base64url')}.${payload}.`
    assert.deepEqual(
      [await verify(forged), await verify(none), await verify('x')],
      [undefined, undefined, undefined],
    )
  })
})
