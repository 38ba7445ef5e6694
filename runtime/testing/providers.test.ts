// A user's own provider, from `treadle provider add` to whole loops over it, against a server that checks key and wire.
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Loop, NewLoopInput } from '../spool/api.ts'
import { startAppliance, type TestAppliance } from './appliance.ts'
import { runCommand } from './command.ts'
import { createDemoLoop } from './demo-loop.ts'
import { type LocalModel, startLocalModel } from './local-model.ts'

const key = 'sk-local-9f8e7d6c5b4a'
// The names end in what the server plays.
const messagesModels = ['acme/fix-adder', 'acme/word-count']
const chatModels = ['acme/chat/fix-adder']
const caps = { iterations: 6, time: '5m' }

describe("a user's own provider", () => {
  const owned = new AsyncDisposableStack()
  let treadle: TestAppliance
  let server: LocalModel
  let work: string
  const treadleCommand = (...args: string[]) => runCommand(treadle.state, ...args)
  const add = (name: string, kind: string, models: string[], ...more: string[]) =>
    treadleCommand(
      ...['provider', 'add', name, '--kind', kind, '--key-file', server.keyFile],
      ...['--base-url', server.url, '--models', models.join(','), ...more],
    )

  before(async () => {
    treadle = owned.use(await startAppliance('--parallel=4'))
    work = join(treadle.state, 'work')
    mkdirSync(work)
    server = owned.use(await startLocalModel(join(work, 'vendor'), key))
  })
  after(() => owned.disposeAsync())

  test('is refused on loopback by that address, unless that is allowed, and then nothing is stored', async () => {
    const { exitCode, said } = await add('local', 'openai', chatModels)
    assert.equal(exitCode, 2, said)
    assert.match(said, /127\.0\.0\.1|plain http/i)
    const secure = await treadleCommand(
      ...['provider', 'add', 'local', '--kind', 'openai', '--key-file', server.keyFile],
      ...['--base-url', server.url.replace('http:', 'https:'), '--models', chatModels[0]!],
    )
    assert.match(secure.said, /127\.0\.0\.1 is private, loopback/)
    assert.doesNotMatch((await treadleCommand('provider', 'list')).said, /local/)
  })

  test('is added, shown without its key, and found good', async () => {
    const ours = [
      ['ours', 'anthropic', messagesModels],
      ['ours-too', 'openai', chatModels],
    ] as const
    const said = await Promise.all(
      ours.map(async ([name, kind, models]) => {
        const added = await add(name, kind, [...models], '--allow-private')
        assert.equal(added.exitCode, 0, added.said)
        const tested = await treadleCommand('provider', 'test', name)
        assert.equal(tested.exitCode, 0, tested.said)
        assert.match(tested.said, /answered 200/)
        return `${added.said}${tested.said}`
      }),
    )
    const listed = await Promise.all(
      [[], ['--json']].map((as) => treadleCommand('provider', 'list', ...as)),
    )
    for (const list of listed)
      for (const [name, , [model]] of ours)
        assert.ok(list.said.includes(name) && list.said.includes(model!), list.said)
    assert.ok(!`${said}${listed.map((list) => list.said)}`.includes(key))
  })

  test('whose key is wrong is told so, and its loop does not go to another', async () => {
    const file = join(work, 'wrong-key')
    writeFileSync(file, 'sk-wrong')
    const flags = ['--kind', 'anthropic', '--key-file', file, '--base-url', server.url]
    const models = ['--models', 'wrong/fix-adder', '--allow-private']
    await treadleCommand('provider', 'add', 'wrong', ...flags, ...models)
    const tested = await treadleCommand('provider', 'test', 'wrong')
    assert.equal(tested.exitCode, 1)
    assert.match(tested.said, /answered 401/)
    const loop = await run({ agent: 'builtin', model: 'wrong/fix-adder' }, { iterations: 1 })
    assert.notEqual(loop.ending, 'done')
    assert.ok(!`${tested.said}${loop.reason}`.includes('sk-wrong'))
  })

  const loops: Record<string, Partial<NewLoopInput>> = {
    'our own agent over Messages': { agent: 'builtin', model: messagesModels[0]! },
    'pi over Messages': { agent: 'pi', model: messagesModels[0]! },
    'pi over chat': { agent: 'pi', model: chatModels[0]! },
    'codex over Responses': { agent: 'codex', model: chatModels[0]! },
  }
  test(`serves whole loops: ${Object.keys(loops).join(', ')}`, async () => {
    const before = server.calls().length
    const ended = await Promise.all(
      Object.entries(loops).map(async ([title, over]) => [title, await run(over)] as const),
    )
    for (const [title, loop] of ended) {
      assert.equal(loop.ending, 'done', `${title}: ${loop.reason}`)
      assert.equal(loop.isRehearsal, false, title)
    }
    const calls = server.calls().slice(before)
    assert.deepEqual([...new Set(calls.map(({ wire }) => wire))].sort(), [
      ...['chat', 'messages', 'responses'],
    ])
    assert.ok(calls.every(({ status }) => status === 200))
    assert.equal(await bookedCalls(), calls.length)
  })

  test('that is removed denies its loops, and nothing is played by the rehearsal instead', async () => {
    assert.equal((await treadleCommand('provider', 'remove', 'ours')).exitCode, 0)
    const loop = await run({ agent: 'builtin', model: messagesModels[0]! })
    assert.equal(loop.ending, 'denied', loop.reason!)
    assert.match(loop.reason!, /acme\/fix-adder/)
    assert.equal(readRehearsalLog(), '')
  })

  async function run(over: Partial<NewLoopInput>, lower: object = {}): Promise<Loop> {
    const spec = await createDemoLoop(work, 'fix-adder', {
      ...over,
      caps: { ...caps, ...lower },
    })
    const { id } = await treadle.submit(spec)
    return treadle.ended(id)
  }

  /** Of the providers that are good. */
  async function bookedCalls(): Promise<number> {
    const rows =
      await treadle.client.get<{ provider: string; calls: number }[]>('/api/usage?days=2')
    return rows
      .filter(({ provider }) => provider.startsWith('ours'))
      .reduce((total, { calls }) => total + calls, 0)
  }

  function readRehearsalLog(): string {
    try {
      return readFileSync(join(treadle.state, 'rehearsal/calls.jsonl'), 'utf8')
    } catch {
      return '' // It has not been called at all.
    }
  }
})
