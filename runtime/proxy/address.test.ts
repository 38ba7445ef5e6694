import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { startPostgres } from '../testing/postgres.ts'
import type { Call } from './api.ts'
import { addBudget, readUse } from './testing/quiet.ts'
import { clientKey, type Stage, startStage } from './testing/stage.ts'

describe('the address of a provider', () => {
  const owned = new AsyncDisposableStack()
  let stage: Stage
  before(async () => {
    const postgres = owned.use(await startPostgres())
    stage = owned.use(await startStage({ postgres }))
  })
  after(() => owned.disposeAsync())
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
  for (const baseUrl of [
    'https://127.0.0.1',
    'https://[::1]',
    'https://0x7f.1',
    'https://2130706433',
    'https://169.254.169.254',
    'https://[::ffff:10.0.0.1]',
    'http://example.com',
    'https://user:pass@example.com',
    'https://example.com/?a=b',
  ]) {
    test(`the base URL ${baseUrl} is refused when it is added`, async () => {
      const response = await stage.admin('POST', '/api/providers', {
        name: 'bad',
        kind: 'openai',
        key: 'k',
        baseUrl,
      })
      assert.equal(response.status, 400)
      assert.equal(((await response.json()) as { code: string }).code, 'provider/address')
    })
  }

  test('a name that leads to a private address is refused when connecting', async () => {
    await stage.addProvider({
      name: 'local',
      baseUrl: 'https://localhost:1',
      allowPrivate: false,
      models: ['m-local'],
    })
    const response = await fetch(new URL('/v1/messages', stage.url), {
      method: 'POST',
      headers: bearer(clientKey),
      body: '{"model":"m-local"}',
    })
    assert.equal(response.status, 502)
    assert.match(await response.text(), /address is not allowed/)
  })

  test('a name that nobody knows is 502, and its call costs nothing and holds nothing', async () => {
    const baseUrl = `https://${'a'.repeat(64)}.invalid` // Longer than a name may be: no server is asked.
    await stage.addProvider({ name: 'lost', baseUrl, models: ['m-1'] })
    await addBudget(stage, 'requests', 1)
    for (let calls = 0; calls < 3; calls += 1) {
      const response = await fetch(new URL('/v1/messages', stage.url), {
        method: 'POST',
        headers: bearer(clientKey),
        body: '{"model":"m-1"}',
      })
      assert.equal(response.status, 502)
      assert.match(await response.text(), /can't be reached/)
    }
    const listed = await stage.admin('GET', '/api/calls?model=m-1')
    const { items } = (await listed.json()) as { items: Call[] }
    assert.deepEqual(
      items.map(({ state, usage }) => [state, usage.inputTokens, usage.outputTokens]),
      Array(3).fill(['settled', 0, 0]),
    )
    const { used, reserved } = await readUse(stage, 'requests')
    assert.deepEqual([used, reserved], [0, 0])
  })
})
