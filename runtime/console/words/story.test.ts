import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Message } from '../../threads/api.ts'
import { toBlocks } from './prose.ts'
import { findEntry, toEntries, toSummary } from './story.ts'

let position = 0
const message = (
  role: Message['role'],
  text: string,
  tool?: [id: string, name: string],
): Message => ({
  position: position++,
  role,
  text,
  tool: tool ? { id: tool[0], name: tool[1] } : null,
  at: '2026-01-01T00:00:00Z',
})

test('a call of a tool and its answer are one entry', () => {
  const [entry, ...rest] = toEntries([
    message('assistant', '{"command":"ls"}', ['t1', 'bash']),
    message('tool', 'a\n[exit 0]', ['t1', 'bash']),
  ])
  assert.deepEqual(rest, [])
  assert.ok(entry?.kind === 'tool')
  assert.deepEqual(
    [entry.name, entry.summary, entry.input, entry.output, entry.hasFailed],
    ['bash', 'ls', 'command: ls', 'a\n[exit 0]', false],
  )
})

test('a call without an answer runs, and an answer without a call is shown by itself', () => {
  const entries = toEntries([
    message('tool', 'late', ['t0', 'bash']),
    message('assistant', '{}', ['t1', 'bash']),
  ])
  assert.deepEqual(
    entries.map((entry) => entry.kind === 'tool' && [entry.output, entry.input]),
    [
      ['late', ''],
      [undefined, ''],
    ],
  )
})

test('an exit other than 0 marks a call as failed', () => {
  const failed = (output: string) => {
    const [entry] = toEntries([
      message('assistant', '{}', ['t', 'bash']),
      message('tool', output, ['t', 'bash']),
    ])
    return entry?.kind === 'tool' && entry.hasFailed
  }
  assert.equal(failed('x\n[exit 1]'), true)
  assert.equal(failed('Process exited with code 2'), true)
  assert.equal(failed('Error: no such file'), true)
  assert.equal(failed('x\n[exit 0]'), false)
  assert.equal(failed('exits 10 times'), false)
})

test('thinking within an answer is an entry of its own, also where it was never closed', () => {
  const kinds = (text: string) =>
    toEntries([message('assistant', text)]).map((entry) => [
      entry.kind,
      'text' in entry && entry.text,
    ])
  assert.deepEqual(kinds('<thinking>hm</thinking>\n\nDone.'), [
    ['thought', 'hm'],
    ['said', 'Done.'],
  ])
  assert.deepEqual(kinds('So.<think>hm'), [
    ['said', 'So.'],
    ['thought', 'hm'],
  ])
})

test('many calls in a row fold into one line that counts them', () => {
  const calls = Array.from({ length: 8 }, (_, at) =>
    message('assistant', '{"path":"a"}', [`c${at}`, at < 6 ? 'read' : 'bash']),
  )
  const [entry, ...rest] = toEntries(calls)
  assert.deepEqual(rest, [])
  assert.ok(entry?.kind === 'calls')
  assert.equal(entry.summary, '8 calls: read ×6, bash ×2')
  assert.equal(toEntries(calls.slice(0, 7)).length, 7)
})

test('the summary of a call is its command or path, whatever else is in it', () => {
  assert.equal(toSummary('{"timeout":5,"command":"npm\\ntest"}'), 'npm test')
  assert.equal(toSummary('{"command":["bash","-c","ls"]}'), 'bash -c ls')
  assert.equal(toSummary('{"count":3,"deep":{"a":1}}'), 'count: 3, deep: {"a":1}')
  assert.equal(toSummary('no json \u202e'), 'no json ‹U+202E›')
  assert.equal(toSummary(`{"path":"${'x'.repeat(400)}"}`).length, 160)
})

test('prose is text and code, and markup in it stays text', () => {
  assert.deepEqual(toBlocks('See `a`:\n\n```js\n<b>1</b>\n```\nand <script>'), [
    {
      kind: 'text',
      spans: [
        { text: 'See ', isCode: false },
        { text: 'a', isCode: true },
        { text: ':', isCode: false },
      ],
    },
    { kind: 'code', text: '<b>1</b>' },
    { kind: 'text', spans: [{ text: 'and <script>', isCode: false }] },
  ])
})

test('a fence that is never closed holds the rest', () => {
  assert.deepEqual(toBlocks('```\na\nb'), [{ kind: 'code', text: 'a\nb' }])
})

test('what a search found is shown by its own entry, or by the call that it answers', () => {
  const said = (position: number): Message => ({
    ...{ position, role: 'user', text: `ask ${position}`, tool: null, at: '2026-11-22T12:00:00Z' },
  })
  const entries = toEntries([said(0), said(1), said(5)])
  assert.deepEqual(
    [0, 1, 3, 5].map((position) => findEntry(entries, position)?.key),
    ['m0', 'm1', 'm1', 'm5'],
  )
})
