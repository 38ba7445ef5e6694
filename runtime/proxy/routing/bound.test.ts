import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isBound, isReplayable } from './bound.ts'

const none = { previousResponse: null }
const body = (value: unknown) => Buffer.from(JSON.stringify(value))
const schema = { type: 'object', properties: { signature: { type: 'string' } } }

describe('a body that is bound to its maker', () => {
  for (const [what, wire, value] of [
    ['a signed thought', 'messages', { content: [{ type: 'thinking', signature: 'EqQB' }] }],
    ['a hidden thought', 'messages', { content: [{ type: 'redacted_thinking', data: 'x' }] }],
    [
      'encrypted reasoning',
      'responses',
      { input: [{ type: 'reasoning', encrypted_content: 'gA' }] },
    ],
    ['a reference to an item', 'responses', { input: [{ type: 'item_reference', id: 'rs_1' }] }],
    ['a conversation by id', 'responses', { conversation: 'conv_1' }],
    ['a conversation as object', 'responses', { conversation: { id: 'conv_1' } }],
    ['a thought of Gemini', 'gemini', { parts: [{ thoughtSignature: 'CsE' }] }],
    ['a cache of Gemini', 'gemini', { cachedContent: 'cachedContents/1' }],
    ['a thought of Gemini over chat', 'chat', { google: { thought_signature: 'CsE' } }],
  ] as const) {
    test(`${what} binds it`, () => {
      assert.equal(isBound(body(value), wire, none), true)
      assert.equal(isBound(Buffer.from(JSON.stringify(value, null, 2)), wire, none), true)
    })
  }

  for (const [what, wire, value] of [
    ['a word in a text', 'messages', { content: 'a "signature": "x" of mine' }],
    ['a tool that takes one', 'messages', { tools: [{ input_schema: schema }] }],
    [
      'a thought that was not signed',
      'messages',
      { content: [{ type: 'thinking', signature: '' }] },
    ],
    [
      'a request for encrypted reasoning',
      'responses',
      { include: ['reasoning.encrypted_content'] },
    ],
    ['null for a conversation', 'responses', { conversation: null }],
    ['another wire’s word', 'chat', { thoughtSignature: 'x' }],
  ] as const) {
    test(`${what} does not bind it`, () => {
      assert.equal(isBound(body(value), wire, none), false)
    })
  }

  test('a stored response binds it', () => {
    assert.equal(isBound(body({}), 'responses', { previousResponse: 'resp_1' }), true)
  })

  test('a key at the very end of a cut body is no key', () => {
    assert.equal(isBound(Buffer.from('{"signature"'), 'messages', none), false)
    assert.equal(isBound(Buffer.from('{"signature":'), 'messages', none), false)
  })
})

describe('a request that may be sent twice', () => {
  for (const [what, value, expected] of [
    ['an ordinary one', { model: 'm' }, true],
    ['encrypted reasoning', { input: [{ encrypted_content: 'g' }] }, true],
    ['one in the background', { background: true }, false],
    ['one that says it is not in the background', { background: false }, true],
    ['one that writes to a conversation', { conversation: 'c' }, false],
  ] as const) {
    test(`${what}: ${expected}`, () => {
      assert.equal(isReplayable(body(value), 'responses', none), expected)
    })
  }

  test('one that goes on from a stored response may not', () => {
    assert.equal(isReplayable(body({}), 'responses', { previousResponse: 'r' }), false)
  })

  test('on other wires there is nothing that is kept', () => {
    assert.equal(isReplayable(body({ background: true }), 'chat', none), true)
  })
})
