// What a program with a mistake, or a hostile one, asks for: it is told what is wrong, and nothing is used up by it.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { userClaims } from '../testing/deps.ts'
import { agent, newLoop, type Scene, startScene } from './testing/scene.ts'

describe('input that the database can not hold', () => {
  let scene: Scene
  before(async () => {
    scene = await startScene()
    await scene.start()
  })
  after(() => scene[Symbol.asyncDispose]())

  for (const query of ['q=%00', 'agent=a%00', 'user=%00', 'model=x,%00', 'cursor=%00']) {
    test(`is refused in the list's ${query}`, async () => {
      const response = await scene.call('GET', `/api/loops?${query}`)
      assert.equal(response.status, 400)
    })
  }

  test('is refused as the number of a pass', async () => {
    const { id } = await scene.submit()
    await scene.ended(id)
    for (const path of ['passes?after=3000000000', 'output?pass=3000000000']) {
      const response = await scene.call('GET', `/api/loops/${id}/${path}`)
      assert.equal(response.status, 400, path)
    }
  })

  for (const [path, more] of [
    ['prompt', { prompt: 'half a pair \ud800' }],
    ['agent.command.2', { agent: agent('say \0') }],
    ['gates.0.command', { gates: [{ name: 'test', command: 'true\0' }] }],
    ['repository', { repository: 'https://example.org/\0' }],
  ] as const) {
    test(`is refused as a loop's ${path}, with its place`, async () => {
      const body = { ...newLoop(scene.source), ...more }
      const response = await scene.call('POST', '/api/loops', body)
      assert.equal(response.status, 400)
      const { problems } = (await response.json()) as { problems: { path: string }[] }
      assert.deepEqual([...new Set(problems.map((problem) => problem.path))], [path])
    })
  }
})

describe('a caller that leaves while it is still asked who it is', () => {
  let scene: Scene
  /** Who asks waits here. */
  let door: Promise<void> = Promise.resolve()
  before(async () => {
    scene = await startScene()
    const { verify } = scene.deps
    scene.deps.verify = async (token) => {
      await door
      return verify(token)
    }
    await scene.start({ followersMax: 1, listenersMax: 1 })
  })
  after(() => scene[Symbol.asyncDispose]())

  async function askAndLeave(path: string): Promise<void> {
    const { promise, resolve: open } = Promise.withResolvers<void>()
    door = promise
    const headers = { authorization: `Bearer ${await scene.deps.tokenFor(userClaims())}` }
    const left = AbortSignal.timeout(200)
    await assert.rejects(fetch(new URL(path, scene.url()), { headers, signal: left }))
    await sleep(200) // Until the server knows.
    open()
    await sleep(200)
  }
  const statusOf = async (path: string) => {
    const { response, stop } = await scene.open(path)
    stop()
    return response.status
  }

  test('takes no place among those who listen', async () => {
    await askAndLeave('/api/loops/live')
    assert.equal(await statusOf('/api/loops/live'), 200)
  })

  test('takes no place among those who follow a loop', async () => {
    const { id } = await scene.submit({ agent: agent('sleep 60') })
    const path = `/api/loops/${id}/events?follow=1`
    await askAndLeave(path)
    assert.equal(await statusOf(path), 200)
    await scene.call('POST', `/api/loops/${id}/cancel`)
    await scene.ended(id)
  })
})

describe('limits of many days', () => {
  let scene: Scene
  before(async () => {
    scene = await startScene()
    await scene.start()
  })
  after(() => scene[Symbol.asyncDispose]())

  test('let a gate and an agent run, though no timer is that long', async () => {
    const { id } = await scene.submit({
      gates: [{ name: 'test', command: 'sleep 0.3', timeout: '30d' }],
      caps: { time: '60d', iterations: 1 },
    })
    assert.equal((await scene.ended(id)).ending, 'done')
  })
})

describe('who follows a loop that is over', () => {
  let scene: Scene
  before(async () => {
    scene = await startScene()
    await scene.start()
  })
  after(() => scene[Symbol.asyncDispose]())

  test('is told the end of the stream, though all was read before, or is kept no more', async () => {
    const { id } = await scene.submit()
    await scene.ended(id)
    const last = (await scene.events(id)).at(-1)!
    const follow = async (after: number) => {
      const { response, stop } = await scene.open(`/api/loops/${id}/events?follow=1&after=${after}`)
      const late = setTimeout(stop, 5_000)
      const text = await response.text()
      clearTimeout(late)
      return text
    }
    assert.match(await follow(last.seq - 1), /"ended"/)
    assert.equal(await follow(last.seq), '')
    await scene.postgres.query('delete from spool.events where loop = $1', [id])
    assert.equal(await follow(0), '')
  })
})
