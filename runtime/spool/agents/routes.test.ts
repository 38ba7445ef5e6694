import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { AgentInfo, Page } from '../api.ts'
import { newLoop, type Scene, startScene } from '../testing/scene.ts'
import { agentNames } from './profiles.ts'
import { type Inventory, inventoryFile } from './programs.ts'

const found = { place: 'machine', version: '1.2.3', run: ['/usr/bin/x'], env: {} } as const
const inventory: Inventory = {
  found: { gemini: { ...found, from: '/home/somebody/bin/gemini' } },
  refused: { openhands: '/home/somebody/bin/openhands needs Python 3.12.' },
}

describe('GET /api/agents', () => {
  let scene: Scene
  const app = mkdtempSync(join(tmpdir(), 'app-'))
  before(async () => {
    writeFileSync(join(app, inventoryFile), JSON.stringify(inventory))
    scene = await startScene()
    await scene.start({ appFolder: app })
  })
  after(async () => {
    await scene[Symbol.asyncDispose]()
    rmSync(app, { recursive: true })
  })

  const list = async (claims: object = {}) => {
    const response = await scene.call('GET', '/api/agents', undefined, claims)
    assert.equal(response.status, 200)
    const { items } = (await response.json()) as Page<AgentInfo>
    return items
  }

  test('lists every agent, with what was brought and what to do for the others', async () => {
    const items = await list({ channel: 'owner-token' })
    assert.deepEqual(
      items.map(({ name }) => name),
      agentNames,
    )
    const states = Object.fromEntries(items.map(({ name, state, fix }) => [name, [state, fix]]))
    assert.deepEqual(states['gemini'], ['ready', null])
    assert.deepEqual(states['openhands'], ['refused', inventory.refused.openhands])
    assert.match(
      String(states['codex']),
      /^missing,Install it \(npm install --global @openai\/codex/,
    )
    const gemini = items.find(({ name }) => name === 'gemini')!
    assert.deepEqual([gemini.version, gemini.from], ['1.2.3', '/home/somebody/bin/gemini'])
  })

  test("does not tell a key's holder where programs lie on the machine", async () => {
    for (const channel of ['key', 'session']) {
      const items = await list({ channel })
      assert.doesNotMatch(JSON.stringify(items), /somebody/)
      assert.equal(items.find(({ name }) => name === 'gemini')!.state, 'ready')
    }
  })

  test('wants to know who asks', async () => {
    const response = await fetch(new URL('/api/agents', scene.url()))
    assert.equal(response.status, 401)
  })

  test('names the agents whose loops are refused when they are submitted', async () => {
    for (const [agent, why] of [
      ['openhands', /needs Python 3\.12\. Or name another agent/],
      ['pi', /not installed\. Install it \(npm install/],
      ['nobody', /./],
    ] as const) {
      const response = await scene.call('POST', '/api/loops', {
        ...newLoop(scene.source),
        agent,
      })
      assert.equal(response.status, 400)
      const { problems } = (await response.json()) as { problems: { message: string }[] }
      assert.match(problems[0]!.message, why)
    }
  })

  test("tells a key's holder of a refused agent without its place", async () => {
    const loop = { ...newLoop('https://example.invalid/a.git'), agent: 'openhands' }
    const response = await scene.call('POST', '/api/loops', loop, { channel: 'key' })
    const text = await response.text()
    assert.match(text, /can't be run in a sandbox as it is/)
    assert.doesNotMatch(text, /somebody/)
  })
})
