import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readSent } from './sse.ts'

async function read(...parts: string[]) {
  const sent = []
  async function* stream() {
    yield* parts
  }
  for await (const each of readSent(stream())) sent.push(each)
  return sent
}

describe('server-sent events', () => {
  test('are read however they are cut', async () => {
    const text = 'retry: 500\n\n: hi\n\nevent: loop\ndata: {"a":1}\n\nevent: event\ndata: {}\n\n'
    const expected = [
      { name: 'loop', data: '{"a":1}' },
      { name: 'event', data: '{}' },
    ]
    assert.deepEqual(await read(text), expected)
    assert.deepEqual(await read(...text), expected)
    assert.deepEqual(await read(text.replaceAll('\n', '\r\n')), expected)
  })

  test('several lines of data are one text, and half an event is none', async () => {
    assert.deepEqual(await read('data: a\ndata: b\n\nevent: x\ndata: c'), [
      { name: 'message', data: 'a\nb' },
    ])
  })

  test('an event without an end is refused before it fills the memory', async () => {
    await assert.rejects(read(...Array(20).fill('data: '.padEnd(1024 ** 2, 'x'))), /too long/)
  })
})
