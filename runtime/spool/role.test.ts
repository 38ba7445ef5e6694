import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Loop, LoopEvent, LoopSummary } from './api.ts'
import {
  agent,
  git,
  newLoop,
  openPlan,
  type Page,
  promise,
  type Scene,
  startScene,
  until,
} from './testing/scene.ts'

// Ticks the first open item; with none left it says the promise.
const ticking = agent(`
spend $((1000)) 40 500
if grep -q '\\[ \\]' PLAN.md; then sed -i '0,/\\[ \\]/s//[x]/' PLAN.md; fi
if grep -q '\\[ \\]' PLAN.md; then say 'One is done.'; else say 'All done. ${promise}'; fi`)

describe('spool', () => {
  let scene: Scene
  before(async () => {
    scene = await startScene()
    await scene.start()
  })
  after(() => scene[Symbol.asyncDispose]())

  test('a loop comes to done in two passes, and its branch holds a commit a pass', async () => {
    const { id } = await scene.submit({
      agent: ticking,
      plan: 'PLAN.md',
      gates: [{ name: 'plan', command: 'test -f PLAN.md' }],
    })
    const loop = await scene.ended(id)
    assert.deepEqual([loop.ending, loop.exitCode, loop.passes], ['done', 0, 2])
    assert.equal(loop.branch, `treadle/fix-${id.slice(0, 8)}`)
    assert.equal(git(scene.source, 'show', `${loop.branch}:PLAN.md`), '- [x] one\n- [x] two')
    assert.equal(git(scene.source, 'rev-list', '--count', `main..${loop.branch}`), '2')
    assert.deepEqual(loop.usage, { inputTokens: 2000, cachedTokens: 0, outputTokens: 80 })
    assert.equal(loop.costNanoUsd, 1000)
    const [first, second] = await scene.passes(id)
    assert.deepEqual(
      [first!.next, first!.promised, first!.openItems, first!.filesChanged],
      ['again', false, 1, 1],
    )
    assert.deepEqual([second!.next, second!.promised, second!.openItems], ['done', true, 0])
    assert.deepEqual(
      second!.gates.map(({ name, exit }) => [name, exit]),
      [['plan', 0]],
    )
  })

  test('events are numbered without a gap, and end with the loop', async () => {
    const { id } = await scene.submit()
    const response = await scene.call('GET', `/api/loops/${id}/events?follow=1`)
    const events = (await response.text())
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as LoopEvent)
    assert.deepEqual(
      events.map(({ seq }) => seq),
      events.map((_, at) => at + 1),
    )
    const names = events.map((event) => (event.event === 'phase' ? event.phase : event.event))
    assert.deepEqual(names, ['started', 'sandbox', 'agent', 'commit', 'gates', 'pass', 'ended'])
    const later = await (await scene.call('GET', `/api/loops/${id}/events?after=6`)).text()
    assert.equal((JSON.parse(later) as LoopEvent).event, 'ended')
  })

  test('the checked-out branch and the work tree stay as they were', async () => {
    const head = git(scene.source, 'rev-parse', 'main')
    await scene.ended((await scene.submit({ agent: ticking })).id)
    assert.equal(git(scene.source, 'rev-parse', 'main'), head)
    assert.equal(git(scene.source, 'status', '--porcelain'), '')
    assert.equal(git(scene.source, 'show', 'main:PLAN.md'), openPlan.trim())
  })

  test('no repository, bundle or sandbox is left of a loop that has ended', async () => {
    await scene.ended((await scene.submit()).id)
    await until(async () => readdirSync(join(scene.deps.folder, 'repos')).length === 0 || undefined)
    assert.deepEqual(readdirSync(join(scene.deps.folder, 'incoming')), [])
    assert.equal(existsSync(join(scene.deps.folder, 'results')), false)
    assert.equal(scene.doubles.boxes.size, 0)
  })

  test('the gates get a sandbox of their own, without a model', async () => {
    const { id } = await scene.submit()
    await scene.ended(id)
    const asked = scene.doubles.asked.filter(({ loop }) => loop === id)
    assert.deepEqual(
      asked.map(({ purpose }) => purpose),
      ['agent', 'gates'],
    )
    assert.equal(asked[0]!.model!.model, 'rehearsal/test')
    assert.equal(asked[1]!.model, undefined)
  })

  test('the second pass gets only what the first one left of the budget, and each the team', async () => {
    const loop = { agent: ticking, plan: 'PLAN.md', caps: { usd: 1, tokens: 10_000 } }
    const { id } = await scene.submit(loop, { team: 'search' })
    await scene.ended(id)
    const models = scene.doubles.asked.filter(
      ({ loop, purpose }) => loop === id && purpose === 'agent',
    )
    assert.deepEqual(
      models.map(({ model }) => [model!.nanoUsdMax, model!.tokensMax, model!.team]),
      [
        [1_000_000_000, 10_000, 'search'],
        [999_999_500, 8_960, 'search'],
      ],
    )
  })

  test('what the agent printed can be read afterwards', async () => {
    const { id } = await scene.submit({ agent: agent(`echo hello; say '${promise}'`) })
    await scene.ended(id)
    const response = await scene.call('GET', `/api/loops/${id}/output?pass=1`)
    assert.equal(await response.text(), 'hello\n')
  })

  test('what the agent prints can be read while it runs', async () => {
    const { id } = await scene.submit({ agent: agent('echo busy; sleep 20') })
    await until(async () => {
      const text = await (await scene.call('GET', `/api/loops/${id}/output`)).text()
      return text === 'busy\n' || undefined
    })
    await scene.call('POST', `/api/loops/${id}/cancel`)
    await scene.ended(id)
  })

  test('a loop is repeated from its stored form, and names the one before', async () => {
    const first = await scene.ended((await scene.submit()).id)
    const response = await scene.call('POST', `/api/loops/${first.id}/retry`)
    const again = (await response.json()) as Loop
    assert.deepEqual([response.status, again.retryOf], [201, first.id])
    assert.deepEqual(again.spec, first.spec)
    assert.equal((await scene.ended(again.id)).ending, 'done')
  })

  test('loops are listed newest first, page by page', async () => {
    const ids = []
    for (const name of ['a', 'b', 'c']) ids.unshift((await scene.submit({ name })).id)
    const read = async (query: string) =>
      (await (await scene.call('GET', `/api/loops?limit=2${query}`)).json()) as Page<LoopSummary>
    const first = await read('')
    assert.deepEqual(
      first.items.map(({ id }) => id),
      ids.slice(0, 2),
    )
    assert.equal((await read(`&cursor=${first.cursor}`)).items[0]!.id, ids[2])
    await Promise.all(ids.map((id) => scene.ended(id)))
    assert.equal((await read('&state=running')).items.length, 0)
  })

  test('an organisation sees and touches nothing of another', async () => {
    const { id } = await scene.submit()
    const other = { org: 'other', sub: 'eve' }
    for (const path of ['', '/passes', '/events', '/output']) {
      assert.equal(
        (await scene.call('GET', `/api/loops/${id}${path}`, undefined, other)).status,
        404,
      )
    }
    for (const verb of ['cancel', 'retry']) {
      assert.equal(
        (await scene.call('POST', `/api/loops/${id}/${verb}`, undefined, other)).status,
        404,
      )
    }
    const listed = (await (
      await scene.call('GET', '/api/loops', undefined, other)
    ).json()) as Page<LoopSummary>
    assert.deepEqual(listed.items, [])
    assert.equal((await scene.ended(id)).ending, 'done')
  })

  test('a path on this machine needs the owner token', async () => {
    const response = await scene.call('POST', '/api/loops', newLoop(scene.source), {
      channel: 'session',
    })
    assert.equal(response.status, 403)
  })

  test('a call without a token is refused', async () => {
    assert.equal((await fetch(new URL('/api/loops', scene.url()))).status, 401)
  })

  test('the schema of the loop file is there for editors', async () => {
    const schema = (await (await scene.call('GET', '/api/loops/schema')).json()) as {
      properties: object
    }
    assert.ok('gates' in schema.properties && 'promptFile' in schema.properties)
  })
})
