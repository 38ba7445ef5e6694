import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { type Action, createAccess, type Resource } from './access.ts'
import { createLog } from './log.ts'
import { loadPolicies } from './policies.ts'
import type { Claims, UserClaims } from './tokens.ts'

const policies = new URL('../../policies/access/', import.meta.url)
const log = createLog('silent', process.stderr)

const owner: UserClaims = {
  kind: 'user',
  sub: 'olga',
  org: 'north',
  role: 'owner',
  channel: 'owner-token',
}
const loop: Resource = { type: 'Loop', id: 'l-1', org: 'north', owner: 'olga' }

type Case = { principal: Claims; action: Action; resource: Resource; error?: string }

function readCases(folder: 'allow' | 'deny'): [title: string, Case][] {
  const url = new URL(`cases/${folder}/`, policies)
  return readdirSync(url).map((file) => [
    basename(file, '.json').replaceAll('-', ' '),
    JSON.parse(readFileSync(new URL(file, url), 'utf8')) as Case,
  ])
}

describe('the policies', () => {
  const access = createAccess(log, policies)
  const exercised = new Set<string>()
  const decide = ({ principal, action, resource }: Case) => {
    const decision = access.decide(principal, action, resource)
    for (const reason of decision.reasons) exercised.add(reason)
    return decision
  }

  for (const [title, asked] of readCases('allow')) {
    test(title, () => {
      const { allowed, errors } = decide(asked)
      assert.deepEqual({ allowed, errors }, { allowed: true, errors: [] })
    })
  }

  for (const [title, asked] of readCases('deny')) {
    test(title, () => {
      const { allowed, errors } = decide(asked)
      assert.equal(allowed, false)
      // A denial for a slip in the case itself would prove nothing.
      if (asked.error) assert.match(errors.join(), new RegExp(asked.error))
      else assert.deepEqual(errors, [])
    })
  }

  test('every policy settles at least one case', () => {
    const idle = loadPolicies(policies).ids.filter((id) => !exercised.has(id))
    assert.deepEqual(idle, [])
  })
})

describe('access', () => {
  test('a denial is a fault that names neither policy nor resource to the caller', () => {
    const access = createAccess(log, policies)
    const other = { ...loop, org: 'south' }
    assert.throws(() => access.assert(owner, 'loop:read', other), {
      code: 'access/denied',
      status: 403,
      publicMessage: 'No policy allows this.',
    })
  })

  test('every decision is logged, a remembered one too', () => {
    const lines: string[] = []
    const to = { write: (line: string) => lines.push(line) }
    const access = createAccess(createLog('debug', to), policies)
    access.assert(owner, 'loop:read', loop)
    access.assert(owner, 'loop:read', loop)
    assert.equal(lines.length, 2)
    const { msg, principal, action, resource, allowed, reasons } = JSON.parse(lines[1]!)
    assert.deepEqual(
      { msg, principal, action, resource, allowed, reasons },
      {
        msg: 'decision',
        principal: 'user:olga',
        action: 'loop:read',
        resource: 'north/Loop:l-1',
        allowed: true,
        reasons: ['organisations/an owner does all in the own organisation'],
      },
    )
  })

  test('a fact cannot stand in for the organisation', () => {
    const access = createAccess(log, policies)
    const forged = { ...loop, org: 'south', facts: { org: 'north' } }
    assert.equal(access.decide(owner, 'loop:read', forged).allowed, false)
  })

  test('a policy that fails to evaluate denies, also where another one permits', () => {
    using folder = changed((text) => ({
      'schema.cedarschema': text('schema.cedarschema').replace(
        'isLocal?: Bool',
        'isLocal?: Bool, size?: Long',
      ),
      'sizes.cedar':
        '@id("not too big") forbid (principal, action, resource is Loop)\n' +
        'when { resource has size && resource.size * 2 > 100 };',
    }))
    const access = createAccess(log, folder.url)
    const sized = (size: number) =>
      access.decide(owner, 'loop:read', { ...loop, facts: { size, isLocal: true } })
    assert.equal(sized(1).allowed, true)
    const overflow = sized(Number.MAX_SAFE_INTEGER * 1024)
    assert.equal(overflow.allowed, false)
    assert.match(overflow.errors.join(), /sizes\/not too big: .*overflow/)
  })

  test('a decision that was forgotten is made again, and alike', () => {
    const access = createAccess(log, policies)
    for (let id = 0; id < 1_500; id += 1) {
      access.decide(owner, 'loop:read', { ...loop, id: `l-${id}` })
    }
    assert.equal(access.decide(owner, 'loop:read', { ...loop, id: 'l-0' }).allowed, true)
  })
})

describe('policies that are wrong stop the start', () => {
  const wrong = {
    'a policy without a name': ['permit (principal, action, resource);', /without @id/],
    'a policy that is no Cedar': ['permit whatever;', /extra\.cedar/],
    'a fact that the schema lacks': [
      '@id("x") permit (principal, action == Action::"loop:read", resource is Loop) when { resource.isLokal };',
      /extra\/x: .*isLokal/,
    ],
    'an action that the schema lacks': [
      '@id("x") permit (principal, action == Action::"loop:explode", resource);',
      /extra\/x: .*loop:explode/,
    ],
    'a policy that can never apply': [
      '@id("x") permit (principal, action == Action::"loop:read", resource is Thread);',
      /extra\/x/,
    ],
  } as const
  for (const [title, [text, expected]] of Object.entries(wrong)) {
    test(title, () => {
      using folder = changed(() => ({ 'extra.cedar': text }))
      assert.throws(() => createAccess(log, folder.url), expected)
    })
  }

  test('two policies of one name', () => {
    const text = '@id("x") permit (principal, action, resource is Loop);'
    using folder = changed(() => ({ 'extra.cedar': `${text}\n${text}` }))
    assert.throws(() => createAccess(log, folder.url), /extra\/x stands there twice/)
  })
})

/** A copy of the policies with some files written anew. */
function changed(files: (text: (name: string) => string) => Record<string, string>) {
  const folder = mkdtempSync(join(tmpdir(), 'policies-'))
  cpSync(policies, folder, { recursive: true })
  const written = files((name) => readFileSync(join(folder, name), 'utf8'))
  for (const [name, text] of Object.entries(written)) writeFileSync(join(folder, name), text)
  return {
    url: pathToFileURL(`${folder}/`),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  }
}
