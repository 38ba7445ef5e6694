import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { toUpstreamHeaders } from '../headers.ts'
import { Refusal } from '../refusal.ts'
import { readAttribution } from './tags.ts'

const tagged = (text: string) => readAttribution(['X-Treadle-Tags', text], null).tags
const isInvalid = (error: unknown) => error instanceof Refusal && error.code === 'tags/invalid'

describe('tags of a call', () => {
  test('names and values are read, with spaces around the commas', () => {
    assert.deepEqual(tagged('team=search , env=prod,note=a b=c'), {
      ...{ team: 'search', env: 'prod', note: 'a b=c' },
    })
    assert.deepEqual(tagged(' , '), {})
  })

  for (const [what, text] of [
    ['no value', 'team='],
    ['no name', '=x'],
    ['no equals sign', 'team'],
    ['a name in capitals', 'Team=x'],
    ['a name twice', 'a=1,a=2'],
    ['too many', Array.from({ length: 9 }, (_, i) => `t${i}=x`).join()],
    ['a long name', `${'n'.repeat(41)}=x`],
    ['a long value', `n=${'v'.repeat(102)}`],
    ['a control character', 'n=a\x01'],
  ]) {
    test(`${what} is refused`, () => {
      assert.throws(() => tagged(text!), isInvalid)
    })
  }

  test('two headers are refused, for which of them counts is anybody’s guess', () => {
    const twice = ['x-treadle-tags', 'a=1', 'X-Treadle-Tags', 'b=2']
    assert.throws(() => readAttribution(twice, null), isInvalid)
  })

  test('a name like one of the language’s own is a tag like others', () => {
    assert.deepEqual(Object.keys(tagged('constructor=x')), ['constructor'])
  })

  test('whom it is for is taken from the header, else from the body', () => {
    const headers = ['x-treadle-end-user', 'mia']
    assert.equal(readAttribution(headers, 'u-1').endUser, 'mia')
    assert.equal(readAttribution([], 'u-1').endUser, 'u-1')
    assert.equal(readAttribution([], null).endUser, null)
    assert.equal(readAttribution([], 'u'.repeat(500)).endUser!.length, 200)
  })

  test('neither goes upstream', () => {
    const raw = ['X-Treadle-Tags', 'a=1', 'X-Treadle-End-User', 'mia', 'Accept', '*/*']
    assert.deepEqual(toUpstreamHeaders(raw, []), ['accept', '*/*'])
  })
})
