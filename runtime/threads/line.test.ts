import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { NewTurn } from './api.ts'
import { createLineReader, toLine, toTitle, wordsOf } from './line.ts'

const turn = (wire: NewTurn['wire'], request: unknown, answer: Partial<NewTurn['answer']> = {}) =>
  ({
    call: 'c1',
    org: 'default',
    user: 'owner',
    loop: null,
    pass: null,
    attempt: null,
    session: 's1',
    wire,
    model: 'm',
    isRehearsal: true,
    at: '2026-01-01T00:00:00Z',
    request: typeof request === 'string' ? request : JSON.stringify(request),
    answer: { text: '', toolCalls: [], ...answer },
  }) satisfies NewTurn

/** A line as `role tool: text`, the way a reader sees it. */
const shown = (given: NewTurn) =>
  toLine(given).map(
    ({ role, tool, text }) => `${role}${tool ? ` ${tool.id} ${tool.name}` : ''}: ${text}`,
  )
const chainsOf = (given: NewTurn) => toLine(given).map(({ chain }) => chain)

describe('a line', () => {
  test('is read from the Messages wire', () => {
    const request = {
      system: [
        { type: 'text', text: 'x-anthropic-billing-header: cc_version=1; cch=abc' },
        { type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } },
      ],
      messages: [
        { role: 'user', content: 'Fix it.' },
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'Hm.', signature: 'x' },
            { type: 'text', text: 'I look.' },
            { type: 'tool_use', id: 't1', name: 'bash', input: { command: 'ls' } },
            { type: 'tool_use', id: 't2', name: 'read_file', input: { path: 'a' } },
          ],
        },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 't1', content: 'a b' },
            {
              type: 'tool_result',
              tool_use_id: 't2',
              content: [{ type: 'text', text: 'one' }, { type: 'image' }],
            },
            { type: 'text', text: 'Go on.' },
          ],
        },
      ],
    }
    assert.deepEqual(shown(turn('messages', request, { text: 'Done.' })), [
      'system: Be brief.',
      'user: Fix it.',
      'assistant: I look.',
      'assistant t1 bash: {"command":"ls"}',
      'assistant t2 read_file: {"path":"a"}',
      'tool t1 bash: a b',
      'tool t2 read_file: one\n[image]',
      'user: Go on.',
      'assistant: Done.',
    ])
  })

  test('is read from the Chat wire', () => {
    const request = {
      messages: [
        { role: 'developer', content: 'Be brief.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'Fix' },
            { type: 'image_url', image_url: {} },
          ],
        },
        {
          role: 'assistant',
          content: null,
          tool_calls: [
            { id: 'c1', type: 'function', function: { name: 'bash', arguments: '{"a":1}' } },
            { id: 'c2', type: 'custom', custom: { name: 'patch', input: '*** Begin' } },
          ],
        },
        { role: 'tool', tool_call_id: 'c1', content: 'ok' },
        { role: 'tool', tool_call_id: 'c2', content: [{ type: 'text', text: 'applied' }] },
      ],
    }
    assert.deepEqual(
      shown(turn('chat', request, { toolCalls: [{ id: 'c3', name: 'bash', input: '{}' }] })),
      [
        'system: Be brief.',
        'user: Fix\n[image_url]',
        'assistant c1 bash: {"a":1}',
        'assistant c2 patch: *** Begin',
        'tool c1 bash: ok',
        'tool c2 patch: applied',
        'assistant c3 bash: {}',
      ],
    )
  })

  test('is read from the Responses wire', () => {
    const request = {
      instructions: 'Be brief.',
      input: [
        { type: 'additional_tools', role: 'developer', tools: [] },
        { type: 'message', role: 'developer', content: [{ type: 'input_text', text: 'Rules.' }] },
        { role: 'user', content: 'Fix it.' },
        { type: 'reasoning', summary: [], encrypted_content: 'xxx' },
        { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'I look.' }] },
        { type: 'function_call', call_id: 'f1', name: 'exec', arguments: '{"cmd":"ls"}' },
        { type: 'function_call_output', call_id: 'f1', output: 'a b' },
        { type: 'custom_tool_call', call_id: 'f2', name: 'apply_patch', input: '*** Begin' },
        {
          type: 'custom_tool_call_output',
          call_id: 'f2',
          output: [{ type: 'input_text', text: 'ok' }],
        },
      ],
    }
    assert.deepEqual(shown(turn('responses', request, { text: 'Done.' })), [
      'system: Be brief.',
      'system: Rules.',
      'user: Fix it.',
      'assistant: I look.',
      'assistant f1 exec: {"cmd":"ls"}',
      'tool f1 exec: a b',
      'assistant f2 apply_patch: *** Begin',
      'tool f2 apply_patch: ok',
      'assistant: Done.',
    ])
    assert.deepEqual(shown(turn('responses', { input: 'Fix it.' })), ['user: Fix it.'])
  })

  test('is read from the Gemini wire', () => {
    const request = {
      systemInstruction: { role: 'user', parts: [{ text: 'Be' }, { text: 'brief.' }] },
      contents: [
        { role: 'user', parts: [{ text: 'Fix it.' }, { inlineData: { data: 'x' } }] },
        {
          role: 'model',
          parts: [
            { text: 'Hm.', thought: true },
            { text: 'I look.' },
            { functionCall: { name: 'ls', args: { a: 1 } }, thoughtSignature: 's' },
            { function_call: { id: 'f2', name: 'read' } },
          ],
        },
        {
          role: 'user',
          parts: [
            { functionResponse: { name: 'ls', response: { output: 'a b' } } },
            { functionResponse: { id: 'f2', name: 'read', response: { error: 'absent' } } },
            { text: 'Go on.' },
          ],
        },
        { role: 'function', parts: [{ functionResponse: { name: 'x', response: { n: 1 } } }] },
      ],
    }
    assert.deepEqual(shown(turn('gemini', request, { text: 'Done.' })), [
      'system: Be\nbrief.',
      'user: Fix it.\n[inlineData]',
      'assistant: I look.',
      'assistant  ls: {"a":1}',
      'assistant f2 read: {}',
      'tool  ls: a b',
      'tool f2 read: absent',
      'user: Go on.',
      'tool  x: {"n":1}',
      'assistant: Done.',
    ])
    const snake = { system_instruction: { parts: [{ text: 'S' }] } }
    assert.deepEqual(shown(turn('gemini', snake)), ['system: S'])
  })

  test('is the same when a client gives a call of Gemini an id of its own, and another for other input', () => {
    const user = { role: 'user', parts: [{ text: 'Fix it.' }] }
    const said = { text: 'I look.', toolCalls: [{ id: '', name: 'ls', input: '{"a":1}' }] }
    const first = chainsOf(turn('gemini', { contents: [user] }, said))
    const next = (args: object, output: string) => [
      user,
      {
        role: 'model',
        parts: [
          { text: 'I ' },
          { text: 'look.' },
          { functionCall: { id: 'own-1', name: 'ls', args } },
        ],
      },
      {
        role: 'user',
        parts: [{ functionResponse: { id: 'own-1', name: 'ls', response: { output } } }],
      },
    ]
    const chains = (args: object, output = 'x') =>
      chainsOf(turn('gemini', { contents: next(args, output) }))
    assert.deepEqual(chains({ a: 1 }).slice(0, first.length), first)
    assert.deepEqual(chains({ a: 1 }, 'x'), chains({ a: 1 }, '[cut]'))
    assert.notDeepEqual(chains({ a: 2 }).slice(0, first.length), first)
  })

  for (const [title, request] of [
    ['no JSON', '{"messages": ['],
    ['an empty body', ''],
    ['null', 'null'],
    ['a list', '[1]'],
    ['messages of another shape', '{"messages": {"0": 1}, "input": 7, "system": 9}'],
    ['messages that are no objects', '{"messages": [null, 1, "x", []], "input": [null, 2, {}]}'],
    ['contents of another shape', '{"contents": [null, {"parts": 1}, {"parts": [null, 2, []]}]}'],
  ] as const) {
    for (const wire of ['messages', 'chat', 'responses', 'gemini'] as const) {
      test(`of the ${wire} wire with ${title} holds at least the answer`, () => {
        assert.deepEqual(shown(turn(wire, request, { text: 'Hi.' })).at(-1), 'assistant: Hi.')
      })
    }
  }

  test('is the same when the agent sends the answer back in pieces', () => {
    const said = {
      text: 'I look.\n\nNow.',
      toolCalls: [{ id: 't1', name: 'bash', input: '{"a": 1}' }],
    }
    const first = turn('messages', { messages: [{ role: 'user', content: 'Fix it.' }] }, said)
    const content = [
      { type: 'text', text: 'I look.' },
      { type: 'tool_use', id: 't1', name: 'bash', input: { a: 1 } },
      { type: 'text', text: 'Now. ' },
    ]
    const messages = [
      { role: 'user', content: 'Fix it.\n' },
      { role: 'assistant', content },
    ]
    assert.deepEqual(chainsOf(turn('messages', { messages })), chainsOf(first))
  })

  test('is the same when the end of the system prompt changes, and another when its start does', () => {
    const system = 'You are an agent. '.repeat(20)
    const chain = (text: string) => chainsOf(turn('messages', { system: text })).at(-1)
    assert.equal(chain(`${system} It is 9:00.`), chain(`${system} It is 9:01.`))
    assert.notEqual(chain(system), chain(`Write a title. ${system}`))
  })

  test('of another session or organisation shares nothing', () => {
    const given = turn('messages', { messages: [{ role: 'user', content: 'x' }] })
    const chains = [given, { ...given, session: 's2' }, { ...given, org: 'other' }].map(chainsOf)
    assert.equal(new Set(chains.flat()).size, 3)
  })

  test('cuts a long text and says so, and keeps its bytes whole', () => {
    const entry = toLine(turn('messages', '', { text: `${'é'.repeat(200_000)} tail` })).at(-1)!
    const { text } = entry
    assert.ok(Buffer.byteLength(text) < 257 * 1024)
    assert.match(text, /é\n\[cut: 137861 more bytes\]$/)
    assert.ok(Buffer.byteLength(wordsOf(entry)) <= 128 * 1024)
  })

  test('is the same from a reader that knows the line before', () => {
    const said = (n: number) =>
      Array.from({ length: n }, (_, i) => ({ role: 'user', content: `m${i}` }))
    const other = [...said(3), { role: 'user', content: 'else' }, ...said(2)]
    const read = createLineReader()
    for (const messages of [said(2), said(5), said(3), other, said(8), []]) {
      const given = turn('messages', { messages }, { text: `to ${messages.length}` })
      assert.deepEqual(read(given), toLine(given))
      const elsewhere = { ...given, session: 's2' }
      assert.deepEqual(read(elsewhere), toLine(elsewhere))
    }
  })

  test('has no more than 10,000 messages', () => {
    const messages = Array.from({ length: 12_000 }, (_, i) => ({ role: 'user', content: `m${i}` }))
    assert.equal(toLine(turn('messages', { messages })).length, 10_000)
  })

  test('has a title from the first thing a person said', () => {
    const messages = [{ role: 'user', content: `\n  Fix\u001b the bug.\nMore.` }]
    assert.equal(toTitle(toLine(turn('messages', { system: 'S', messages }))), 'Fix  the bug.')
    assert.equal(toTitle(toLine(turn('messages', '', { text: 'Only this.' }))), 'Only this.')
    const long = toTitle(toLine(turn('messages', '', { text: '😀'.repeat(100) })))
    assert.ok(long.isWellFormed() && long.length <= 120)
  })

  test('has no title from what an agent says before the person, unless nothing else was said', () => {
    const context = { role: 'user', parts: [{ text: '<session_context>\nA date.' }] }
    const asked = { role: 'user', parts: [{ text: 'Fix it.' }] }
    const titleOf = (...contents: object[]) => toTitle(toLine(turn('gemini', { contents })))
    assert.equal(titleOf(context, asked), 'Fix it.')
    assert.equal(titleOf(context), '<session_context>')
  })

  test('can be read from any JSON, and grows by its end alone', () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.constantFrom('messages', 'chat', 'responses', 'gemini'),
        (value, wire) => {
          const key = { responses: 'input', gemini: 'contents' }[wire as string] ?? 'messages'
          const list = Array.isArray(value) ? value : [value]
          const shorter = chainsOf(turn(wire, { system: value, [key]: list }))
          const longer = chainsOf(
            turn(wire, { system: value, [key]: [...list, { role: 'user', content: 'next' }] }),
          )
          assert.deepEqual(longer.slice(0, shorter.length), shorter)
        },
      ),
    )
  })
})
