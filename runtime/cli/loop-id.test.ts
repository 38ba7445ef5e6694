import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { loop, run, startInstance, type TestInstance } from './testing.ts'

const ids = ['7f3a1111-0000-4000-8000-000000000000', '7f3b2222-0000-4000-8000-000000000000']
const found = (...some: string[]) => ({
  items: some.map((id) => ({ ...loop, id })),
  cursor: null,
  total: some.length,
})

describe('the beginning of an id', () => {
  let instance: TestInstance
  before(async () => {
    instance = await startInstance()
    for (const id of ids)
      instance.routes[`POST /api/loops/${id}/pause`] = { ...loop, id, isHeld: true }
  })
  after(() => instance[Symbol.asyncDispose]())
  const pause = async (id: string, answer: object) => {
    instance.routes['GET /api/loops'] = answer
    const from = instance.asked.length
    const done = await run(instance.folder, ['loop', 'pause', id])
    return { ...done, asked: instance.asked.slice(from).map(({ path }) => path) }
  }

  test('stands for its loop where there is one, also among loops that match by name', async () => {
    const { code, asked } = await pause('7F3a', found('0000aaaa', ids[0]!))
    assert.deepEqual([code, asked.at(-1)], [0, `/api/loops/${ids[0]}/pause`])
  })

  test('is refused where it begins several, and all are named', async () => {
    const { code, stderr, asked } = await pause('7f3a', found(ids[0]!, ids[0]!.replace('1', '2')))
    assert.equal(code, 2)
    assert.match(stderr, /several loops: 7f3a1111.*7f3a2111/)
    assert.equal(asked.length, 1)
  })

  test('goes to the server as it is where it begins none', async () => {
    const { code, stderr, asked } = await pause('7f3c', found())
    assert.equal(code, 1)
    assert.ok(stderr !== '')
    assert.equal(asked.at(-1), '/api/loops/7f3c/pause')
  })

  test('is not looked for where it has fewer than four characters, or is whole', async () => {
    assert.deepEqual((await pause('7f3', found())).asked, ['/api/loops/7f3/pause'])
    assert.deepEqual((await pause(ids[1]!, found())).asked, [`/api/loops/${ids[1]}/pause`])
  })
})
