import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { toStoredRecording } from './recording.ts'

const head = '{"version":2,"width":80,"height":24}'

describe('a recording on its way to be kept', () => {
  async function* bytes(text: string, size = 64 * 1024) {
    const all = Buffer.from(text)
    for (let at = 0; at < all.length; at += size) yield all.subarray(at, at + size)
  }
  const keep = async (text: string, size?: number) => {
    const stored = await toStoredRecording(bytes(text, size))
    return stored && gunzipSync(stored).toString().trim().split('\n')
  }

  test('comes out as it was, however its bytes are cut', async () => {
    const text = `${head}\n[0.25,"o","ü✓"]\n[1,"r","100x30"]\n`
    for (const size of [1, 2, 7, 1_000])
      assert.deepEqual(await keep(text, size), text.trim().split('\n'))
  })

  test('too long, loses its beginning and keeps its times', async () => {
    const line = (at: number) => `[${at},"o","${'x'.repeat(1_000)}"]`
    const lines = Array.from({ length: 10_000 }, (_, at) => line(at))
    const kept = (await keep([head, ...lines].join('\n')))!
    assert.equal(kept[0], head)
    assert.equal(kept.at(-1), line(9_999))
    assert.ok(kept.length > 4_000 && kept.length < 4_300, `${kept.length}`)
    assert.equal(JSON.parse(kept[1]!)[0], 10_000 - (kept.length - 1))
  })

  test('of very many short lines keeps so many that memory is bounded', async () => {
    const lines = Array.from({ length: 200_000 }, (_, at) => `[${at},"o",""]`)
    const kept = (await keep([head, ...lines].join('\n')))!
    assert.ok(kept.length < 100_000, `${kept.length}`)
    assert.equal(kept.at(-1), lines.at(-1))
  })

  test('loses times that no player takes', async () => {
    const text = `{"version":2,"width":80,"height":24,"timestamp":1e300}\n[1,"o","x"]\n[1e300,"o","y"]\n`
    assert.deepEqual(await keep(text), [head, '[1,"o","x"]'])
  })

  for (const [title, text] of [
    ['nothing', ''],
    ['no JSON', 'hello\n[0,"o","x"]\n'],
    ['another version', '{"version":3,"width":80,"height":24}\n[0,"o","x"]\n'],
    ['a screen of no size', '{"version":2,"width":0,"height":24}\n[0,"o","x"]\n'],
    ['a head alone', `${head}\n`],
    ['a line without an end', `${head}\n${'x'.repeat(5 * 1024 ** 2)}`],
  ] as const) {
    test(`that is ${title} is not kept`, async () => {
      assert.equal(await keep(text), undefined)
    })
  }

  test('loses the lines that are none', async () => {
    const kept = await keep(
      `${head}\n[-1,"o","x"]\n[1,"oo","x"]\n{}\n[2,"o"]\n[3,"o","x"]\n[4,"o","cu`,
    )
    assert.deepEqual(kept, [head, '[3,"o","x"]'])
  })
})
