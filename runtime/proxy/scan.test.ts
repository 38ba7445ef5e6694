import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { readersOf } from './scan/keys.ts'
import { type Scan, scan } from './scan.ts'

const read = (text: string, model: string | null = null) =>
  scan(Buffer.from(text), { wire: model ? 'gemini' : 'chat', operation: 'generate', model })
const pick = ({ model, stream }: Scan) => ({ model, stream })
const at = (text: string) => pick(read(text))

// Long, and full of what must be skipped with care.
const texts = fc
  .array(fc.constantFrom('"', '\\', 'x', '{', '}', 'é'), { maxLength: 400 })
  .map((parts) => parts.join(''))

describe('scan', () => {
  for (const [title, text, model, stream] of [
    ['the plain case', '{"model":"m","stream":true}', 'm', true],
    ['space everywhere', ' \n{ "stream" : false , "model" : "m" } \r\n', 'm', false],
    [
      'a model after nested ones',
      '{"a":{"model":"x","b":[{"model":"y"}]},"model":"m"}',
      'm',
      false,
    ],
    ['brackets and quotes inside strings', '{"a":"}]\\"{","model":"m"}', 'm', false],
    [
      'a long string with escapes',
      `{"a":"${'x'.repeat(200)}\\\\\\"${'y\\\\'.repeat(90)}","model":"m"}`,
      'm',
      false,
    ],
    ['an escaped key', '{"mod\\u0065l":"m"}', 'm', false],
    ['an escaped value', '{"model":"a\\/b\\u00e9"}', 'a/bé', false],
    ['numbers and words', '{"x":-1.5e9,"t":true,"z":null,"model":"m"}', 'm', false],
  ] as const) {
    test(`reads ${title}`, () => assert.deepEqual(at(text), { model, stream }))
  }

  for (const [title, text] of [
    ['no model', '{"contents":[]}'],
    ['the same model', '{"model":"a/b"}'],
    ['the same model as a resource', '{"model":"models\\/a/b"}'],
  ] as const) {
    test(`takes the model of the path beside ${title}`, () => {
      assert.deepEqual(pick(read(text, 'a/b')), { model: 'a/b', stream: false })
    })
  }

  for (const text of ['{"model":"a"}', '{"model":"a/b","model":"a/b"}', '{"Model":"a/b"}', '[]']) {
    test(`refuses ${text} beside the model of the path`, () =>
      assert.throws(() => read(text, 'a/b'), { code: 'body/invalid' }))
  }

  for (const [title, text] of [
    ['a second model', '{"model":"a","model":"b"}'],
    ['a second model, escaped', '{"model":"a","\\u006dodel":"b"}'],
    ['a model in another case', '{"model":"a","Model":"b"}'],
    ['a model in another case alone', '{"MODEL":"a"}'],
    ['no model', '{"messages":[]}'],
    ['a model that is no string', '{"model":["a"]}'],
    ['an empty model', '{"model":""}'],
    ['a very long model', `{"model":"${'m'.repeat(201)}"}`],
    ['an array', '[{"model":"m"}]'],
    ['nothing', ''],
    ['a second object', '{"model":"a"}{"model":"b"}'],
    ['a stream that is no boolean', '{"model":"m","stream":"true"}'],
    ['an open string', '{"model":"a'],
    ['an open object', '{"model":"a","b":{'],
    ['a missing comma', '{"model":"a" "b":1}'],
    ['a byte order mark', '\ufeff{"model":"a"}'],
  ] as const) {
    test(`refuses ${title}`, () => assert.throws(() => at(text), { code: 'body/invalid' }))
  }

  test('agrees with JSON.parse on any object', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ maxLength: 300 }), fc.oneof(fc.jsonValue(), texts)),
        fc.string({ minLength: 1, maxLength: 50 }),
        fc.boolean(),
        (rest, model, stream) => {
          fc.pre(Object.keys(rest).every((key) => !readersOf.chat.has(key.toLowerCase())))
          const text = JSON.stringify({ ...rest, model, stream }, null, 1)
          assert.deepEqual(at(text), {
            model: (JSON.parse(text) as { model: string }).model,
            stream,
          })
        },
      ),
    )
  })
})
