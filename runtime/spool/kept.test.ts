import assert from 'node:assert/strict'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Changes } from './api.ts'
import { agent, git, promise, type Scene, startScene, until } from './testing/scene.ts'

const cast = [
  '{"version":2,"width":80,"height":24,"timestamp":1,"env":{"SHELL":"/bin/evil"}}',
  '[0.5,"o","hello\\r\\n"]',
  'no json',
  '[1.5,"o","\\u001b[31mred"]',
].join('\n')

describe('what is kept of a pass', () => {
  let scene: Scene
  before(async () => {
    scene = await startScene()
    await scene.start()
  })
  after(() => scene[Symbol.asyncDispose]())
  const read = async (path: string, claims = {}) => {
    const response = await scene.call('GET', `/api/loops/${path}`, undefined, claims)
    return { response, text: await response.text() }
  }
  const changesOf = async (path: string) => JSON.parse((await read(path)).text) as Changes

  test('each pass has its changes against the one before, and the loop has all, also after its end', async () => {
    const script = `if test -f one; then echo 2 > two; say '${promise}'; else echo 1 > one; say 'more'; fi`
    const { id } = await scene.submit({ agent: agent(script) })
    const loop = await scene.ended(id)
    assert.equal(loop.passes, 2)
    const names = async (path: string) => (await changesOf(path)).files.map((file) => file.path)
    assert.deepEqual(await names(`${id}/passes/1/changes`), ['one'])
    assert.deepEqual(await names(`${id}/passes/2/changes`), ['two'])
    const whole = await changesOf(`${id}/changes`)
    assert.deepEqual(
      whole.files.map(({ path }) => path),
      ['one', 'two'],
    )
    assert.deepEqual(
      [whole.base, whole.sha],
      [loop.base, git(scene.source, 'rev-parse', loop.branch!)],
    )
    const [first] = await scene.passes(id)
    assert.deepEqual(first!.changes, { files: 1, additions: 1, deletions: 0 })
  })

  test('a pass that changed nothing says so', async () => {
    const { id } = await scene.submit()
    await scene.ended(id)
    const { files, counts } = await changesOf(`${id}/passes/1/changes`)
    assert.deepEqual([files, counts], [[], { files: 0, additions: 0, deletions: 0 }])
  })

  test('the plan stands with each pass as it was then', async () => {
    const script = `sed -i '0,/\\[ \\]/s//[x]/' PLAN.md; if grep -q '\\[ \\]' PLAN.md; then say 'more'; else say '${promise}'; fi`
    const { id } = await scene.submit({ agent: agent(script), plan: 'PLAN.md' })
    await scene.ended(id)
    const plans = (await scene.passes(id)).map(({ plan }) => plan)
    const [one, two] = ['one', 'two']
    assert.deepEqual(plans, [
      [
        { text: one, isDone: true },
        { text: two, isDone: false },
      ],
      [
        { text: one, isDone: true },
        { text: two, isDone: true },
      ],
    ])
    assert.equal((await scene.loop(id)).openItems, 0)
  })

  test('times of agent and gates are told, and null before they are known', async () => {
    const { id } = await scene.submit({
      agent: agent(`sleep 1; say '${promise}'`),
      gates: [{ name: 'slow', command: 'sleep 0.3' }],
    })
    const open = await until(async () => (await scene.passes(id))[0])
    assert.deepEqual([open.agentMs, open.gatesMs, open.plan], [null, null, null])
    await scene.ended(id)
    const [pass] = await scene.passes(id)
    assert.ok(pass!.agentMs! >= 900 && pass!.gatesMs! >= 250, JSON.stringify(pass))
  })

  test('passes are read from a number on', async () => {
    const script = `if test -f one; then say '${promise}'; else echo 1 > one; say 'more'; fi`
    const { id } = await scene.submit({ agent: agent(script) })
    await scene.ended(id)
    const numbers = async (query: string) =>
      (JSON.parse((await read(`${id}/passes?${query}`)).text) as { pass: number }[]).map(
        ({ pass }) => pass,
      )
    assert.deepEqual(await numbers('after=1'), [2])
    assert.deepEqual(await numbers('limit=1'), [1])
  })

  test("the agent's terminal is kept as a recording, without what no player needs", async () => {
    scene.doubles.recording = cast
    const { id } = await scene.submit()
    await scene.ended(id)
    scene.doubles.recording = undefined
    const { response, text } = await read(`${id}/passes/1/recording`)
    assert.equal(response.headers.get('content-type'), 'application/x-asciicast')
    assert.deepEqual(
      text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
      [
        { version: 2, width: 80, height: 24, timestamp: 1 },
        [0.5, 'o', 'hello\r\n'],
        [1.5, 'o', '\u001b[31mred'],
      ],
    )
    assert.equal((await scene.passes(id))[0]!.hasRecording, true)
  })

  test('a weaver without recordings fails no pass', async () => {
    const { id } = await scene.submit()
    assert.equal((await scene.ended(id)).ending, 'done')
    assert.equal((await scene.passes(id))[0]!.hasRecording, false)
    const { response, text } = await read(`${id}/passes/1/recording`)
    assert.deepEqual([response.status, JSON.parse(text).code], [404, 'recording/absent'])
  })

  test('what never was is told apart from what is not kept', async () => {
    const { id } = await scene.submit({ agent: agent('sleep 20') })
    const code = async (path: string) =>
      (JSON.parse((await read(path)).text) as { code: string }).code
    await until(async () => (await scene.passes(id))[0])
    assert.equal(await code(`${id}/changes`), 'changes/absent')
    assert.equal(await code(`${id}/passes/1/changes`), 'changes/absent')
    for (const pass of ['9', '0', '-1', '1e3', '..%2F..%2Fx', '99999999999'])
      assert.equal(await code(`${id}/passes/${pass}/changes`), 'pass/absent')
    await scene.call('POST', `/api/loops/${id}/cancel`)
    await scene.ended(id)
  })

  test('names that look like paths or markup come as data, in JSON that no browser sniffs', async () => {
    const name = '<img src=x onerror=alert(1)>'
    const { id } = await scene.submit({
      agent: agent(`mkdir -p 'a/..b'; echo x > '${name}'; echo y > 'a/..b/c'; say '${promise}'`),
    })
    await scene.ended(id)
    const { response, text } = await read(`${id}/passes/1/changes`)
    assert.match(response.headers.get('content-type')!, /^application\/json/)
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff')
    assert.deepEqual(
      (JSON.parse(text) as Changes).files.map(({ path }) => path),
      [name, 'a/..b/c'],
    )
  })

  test('another organisation gets neither changes nor recordings', async () => {
    scene.doubles.recording = cast
    const { id } = await scene.submit({ agent: agent(`echo 1 > one; say '${promise}'`) })
    await scene.ended(id)
    scene.doubles.recording = undefined
    for (const path of ['changes', 'passes/1/changes', 'passes/1/recording', 'passes'])
      assert.equal((await read(`${id}/${path}`, { org: 'other', sub: 'eve' })).response.status, 404)
  })

  test('of a loop that ended long ago only its row and its sums stay, and its bundle goes', async () => {
    scene.doubles.recording = cast
    const { id } = await scene.submit({
      agent: agent(`spend 10 5 700; echo 1 > one; say '${promise}'`),
    })
    const young = await scene.submit()
    scene.doubles.recording = undefined
    await Promise.all([scene.ended(id), scene.ended(young.id)])
    const results = join(scene.deps.folder, 'results')
    mkdirSync(results, { recursive: true })
    for (const one of [id, young.id, 'of-nobody']) writeFileSync(join(results, `${one}.bundle`), '')
    await scene.postgres.query(
      "update spool.loops set ended_at = now() - interval '91 days', bundle = '/x' where id = $1",
      [id],
    )
    await scene.stop()
    await scene.start({ keepMs: 90 * 86_400_000 })
    const loop = await until(async () => {
      const seen = await scene.loop(id)
      return seen.bundle === null ? seen : undefined
    })
    assert.deepEqual([loop.passes, loop.costNanoUsd, loop.ending], [1, 700, 'done'])
    for (const table of ['passes', 'attempts', 'events', 'changes', 'recordings'])
      assert.deepEqual(
        await scene.postgres.query(`select 1 from spool.${table} where loop = $1`, [id]),
        [],
      )
    await until(async () => (existsSync(join(results, `${id}.bundle`)) ? undefined : true))
    for (const one of [young.id, 'of-nobody']) assert.ok(existsSync(join(results, `${one}.bundle`)))
    assert.equal((await scene.passes(young.id)).length, 1)
    assert.ok((await scene.events(young.id)).length > 0)
  })
})
