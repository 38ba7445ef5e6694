import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { Wire } from '../api.ts'
import { bash, call, message, pieces, read, toFacts, usage } from './testing.ts'

describe('reading a whole answer', () => {
  const wholes: [Wire, unknown, Partial<ReturnType<typeof toFacts>>][] = [
    [
      'messages',
      {
        type: 'message',
        content: [
          { type: 'thinking', thinking: 'hm' },
          { type: 'text', text: 'a' },
          { type: 'tool_use', id: 't1', name: 'bash', input: { command: 'ls' } },
        ],
        stop_reason: 'tool_use',
        usage: { input_tokens: 3, cache_read_input_tokens: 2, output_tokens: 4 },
      },
      {
        usage: usage(5, 2, 0, 4),
        text: 'a',
        toolCalls: [bash],
        stopReason: 'tool_use',
        isUsageFinal: true,
      },
    ],
    [
      'chat',
      {
        choices: [
          {
            message: {
              content: 'a',
              tool_calls: [{ id: 't1', function: { name: 'bash', arguments: '{"command":"ls"}' } }],
            },
            finish_reason: 'tool_calls',
          },
        ],
        usage: {
          prompt_tokens: 9,
          completion_tokens: 1,
          prompt_tokens_details: { cached_tokens: 3 },
        },
      },
      {
        usage: usage(9, 3, 0, 1),
        text: 'a',
        toolCalls: [bash],
        stopReason: 'tool_calls',
        isUsageFinal: true,
      },
    ],
    [
      'responses',
      {
        status: 'completed',
        output: [message, call],
        usage: { input_tokens: 9, output_tokens: 1 },
      },
      { usage: usage(9, 0, 0, 1), text: 'héllo', stopReason: 'completed', isUsageFinal: true },
    ],
    [
      'messages',
      { type: 'error', error: { type: 'x', message: 'no' } },
      { error: 'no', isUsageFinal: false },
    ],
    ['chat', { error: { message: 'no' } }, { error: 'no', isUsageFinal: false }],
  ]
  for (const [index, [wire, body, expected]] of wholes.entries()) {
    test(`${wire}, case ${index + 1}, plain and gzip`, async () => {
      const bytes = Buffer.from(JSON.stringify(body))
      for (const [sent, encoding] of [
        [bytes, undefined],
        [gzipSync(bytes), 'gzip'],
      ] as const) {
        const facts = toFacts(await read(wire, pieces(sent, 11), 'application/json', encoding))
        for (const [key, value] of Object.entries(expected))
          assert.deepEqual(facts[key as keyof typeof facts], value, key)
      }
    })
  }
})
