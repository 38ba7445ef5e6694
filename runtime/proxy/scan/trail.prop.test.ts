// A scan that is taken up finds what one from the start finds, whatever follows the bytes that both bodies begin with.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Wire } from '../api.ts'
import { commonStart } from '../overlap.ts'
import { type Alike, type Scan, scan } from '../scan.ts'

const long = (sign: string) => sign.repeat(2_000)
const elements: readonly unknown[] = [
  { role: 'user', content: long('a') },
  { role: 'user', content: [{ type: 'text', text: long('\\"') }] },
  {
    role: 'assistant',
    content: [{ type: 'tool_use', id: 't', input: { a: [1, [], {}], b: '}]' } }],
  },
  { type: 'message', role: 'user', content: [{ type: 'input_text', text: long('\n\t"') }] },
  { type: 'reasoning', id: 'r', encrypted_content: long('é✓') },
  { type: 'function_call_output', output: long('{"type":"image"}') },
  { parts: [{ text: long('x') }], role: 'model' },
  long('just text'),
  [long('['), [[]]],
  7,
  null,
]
/** What changes what is said of a body. */
const telling: readonly unknown[] = [
  { role: 'user', content: [{ type: 'image', source: {} }] },
  { role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://a' } }] },
  { type: 'reasoning', id: 'r' },
  { type: 'item_reference', id: 'i' },
  { type: 'additional_tools', tools: [{ type: 'web_search' }, { type: 'custom', name: 'c' }] },
  { parts: [{ inlineData: { data: 'aGk=' } }] },
]
const hidden = 'a hidden letter'
const lists = { messages: 'messages', chat: 'messages', responses: 'input', gemini: 'contents' }
const others: readonly (readonly [string, unknown])[] = [
  ['tools', [{ type: 'function', name: 'f' }]],
  ['max_tokens', 5],
  ['stream', true],
  [
    'system',
    [
      { type: 'text', text: long('s') },
      { type: 'text', text: long('t') },
    ],
  ],
  ['service_tier', 'auto'],
  ['instructions', long('i')],
  ['Model', 'twice'],
  ['model', 'again'],
]
const member = ([key, value]: readonly [string, unknown]) =>
  `${JSON.stringify(key)}:${JSON.stringify(value)}`

/** As text, for a key may stand twice, and a letter behind an escape. One thing at most tells: several would hide each other. */
const makeBody = (wire: Wire) =>
  fc
    .record({
      list: fc.array(fc.constantFrom(...elements), { minLength: 9, maxLength: 24 }),
      told: fc.constantFrom(null, hidden, ...telling),
      fromEnd: fc.nat(5),
      before: fc.subarray([...others].slice(0, -2)),
      after: fc.subarray([...others].slice(0, -2)),
    })
    .map(({ list, told, fromEnd, before, after }) => {
      const said = told === null ? list : list.with(-1 - fromEnd, told)
      const all = [['model', 'm'], ...before, [lists[wire], said], ...after] as const
      const text = all.map((one) => member(one as readonly [string, unknown])).join(',')
      return `{${text.replaceAll(hidden, '\\u0061')}}`
    })

const edit = fc.record({
  /** Where, as a share of the length. */
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  removed: fc.constantFrom(0, 0, 1, 7, 5_000),
  put: fc.oneof(
    fc.constantFrom(
      ...['],"stream":true,"y":[{}', '],"model":"again","y":[{}', '],"Model":"again","y":[{}'],
      ...['', '"', '\\', ',', ']', '}', '{', '[', '\\u0061', '"type":"image",', ' '],
    ),
    fc.constantFrom(...elements, ...telling).map((one) => `,${JSON.stringify(one)}`),
  ),
})

function toEdited(
  text: string,
  { at, removed, put }: { at: number; removed: number; put: string },
) {
  const from = Math.floor(at * text.length)
  return text.slice(0, from) + put + text.slice(from + removed)
}

const growth = fc.record({ back: fc.nat(6), isCut: fc.boolean() })

/** Just behind an element's end, as a next call goes on; with the elements behind it, or without. */
const toGrown = (text: string, more: string, { back, isCut }: { back: number; isCut: boolean }) => {
  const end = text.lastIndexOf('}]')
  const ends = [...text.slice(0, end + 1).matchAll(/\}(?=,|$)/g)].map(({ index }) => index + 1)
  const at = ends.at(-1 - (back % Math.max(1, ends.length))) ?? text.length
  return text.slice(0, at) + more + text.slice(isCut ? Math.max(at, end + 1) : at)
}

const options = (wire: Wire) => ({ wire, operation: 'generate', model: null }) as const

/** What it says, or how it refuses; without what is for the next scan. */
function read(body: Buffer, wire: Wire, alike: Alike | null) {
  try {
    const { trail: _, ...said } = scan(body, options(wire), alike)
    return said satisfies Omit<Scan, 'trail'>
  } catch (error) {
    return (error as Error).message
  }
}

const trailOf = (body: Buffer, wire: Wire, alike: Alike | null = null) => {
  try {
    return scan(body, options(wire), alike).trail
  } catch {
    return null
  }
}

const toAlike = (trail: Scan['trail'], one: Buffer, other: Buffer): Alike | null =>
  trail && { trail, bytes: commonStart(one, other) }

describe('a scan that is taken up', () => {
  for (const wire of ['messages', 'chat', 'responses', 'gemini'] as const) {
    test(`says of ${wire} what a scan from the start says, also of the body after the next`, () => {
      let taken = 0
      fc.assert(
        fc.property(makeBody(wire), edit, edit, growth, (made, one, two, grown) => {
          const first = Buffer.from(made)
          const second = Buffer.from(
            one.removed > 0 ? toEdited(made, one) : toGrown(made, one.put, grown),
          )
          const third = Buffer.from(toEdited(second.toString(), two))
          const alike = toAlike(trailOf(first, wire), first, second)
          if (alike) taken += 1
          assert.deepEqual(read(second, wire, alike), read(second, wire, null))
          const next = toAlike(trailOf(second, wire, alike), second, third)
          assert.deepEqual(read(third, wire, next), read(third, wire, null))
        }),
        { numRuns: 250 },
      )
      assert.ok(taken > 50, `${taken} were taken up`)
    })
  }

  test('leaves what it knew as it was, for the calls that go on from it side by side', () => {
    const item = { type: 'additional_tools', tools: [{ type: 'custom', name: 'c' }] }
    const list = [...elements, ...elements, item].map((one) => JSON.stringify(one)).join(',')
    const start = `{"model":"m","input":[${list}`
    const first = Buffer.from(`${start}]}`)
    const trail = trailOf(first, 'responses')
    const kept = structuredClone(trail)
    const second = Buffer.from(`${start},${JSON.stringify(item)}],"stream":true,"user":"u"}`)
    const found = scan(second, options('responses'), toAlike(trail, first, second))
    assert.deepEqual(found.tools, ['c', 'c'])
    assert.deepEqual(trail, kept)
  })
})
