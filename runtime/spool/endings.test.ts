import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Loop, NewLoopInput } from './api.ts'
import { endings } from './api.ts'
import { agent, git, promise, type Scene, startScene, until } from './testing/scene.ts'

const write = 'date +%N >> log; '
const red = [{ name: 'test', command: 'echo wrong; false' }]
const green = `say '${promise}'`

/** One loop for each ending, in the shape a user would meet it. */
const cases: [string, string, Partial<NewLoopInput>][] = [
  ['proved work is done', 'done', { agent: agent(write + green) }],
  [
    'an agent that is not there fails',
    'failed',
    { agent: { command: ['/nowhere'], wire: 'anthropic' } },
  ],
  [
    'as many passes as allowed',
    'capped: iterations',
    { agent: agent(`${write}say more`), caps: { iterations: 2 } },
  ],
  [
    'an agent that never stops',
    'capped: time',
    { agent: agent('while :; do sleep 1; done'), caps: { time: '2s' } },
  ],
  [
    'an agent that ignores the end of its time',
    'capped: time',
    { agent: agent("trap '' TERM; sleep 60"), caps: { time: '1s' } },
  ],
  [
    "a gate that outlasts the loop's time",
    'capped: time',
    { agent: agent(green), gates: [{ name: 'slow', command: 'sleep 60' }], caps: { time: '2s' } },
  ],
  [
    'an agent that makes no model call',
    'capped: idle',
    { agent: agent(`${write}sleep 60`), caps: { idle: '1s' } },
  ],
  [
    'as many dollars as allowed',
    'capped: usd',
    { agent: agent(`${write}spend 10 10 2000; say more`), caps: { usd: 0.000001 } },
  ],
  [
    'as many tokens as allowed',
    'capped: tokens',
    { agent: agent(`${write}spend 10 10 2000; say more`), caps: { tokens: 20 } },
  ],
  [
    'a budget that the proxy refused',
    'capped: tokens',
    {
      agent: agent(
        `record '"last":{"status":402,"state":"denied"},"denial":{"code":"budget/tokens","message":"Spent."}'`,
      ),
      caps: { tokens: 20 },
    },
  ],
  ['an agent that does nothing', 'stuck', { agent: agent('say later') }],
  [
    'an agent that echoes its prompt',
    'stuck',
    {
      prompt: `Work hard. In the end say ${promise}`,
      agent: agent(`say "$(cat "$HOME/.treadle/prompt.md")"`),
    },
  ],
  [
    'an agent that prints the promise without saying it',
    'stuck',
    { agent: agent(`echo '${promise}'; say 'Not yet.'`) },
  ],
  [
    'an agent that writes, and meets one error again and again',
    'stuck',
    { agent: agent(`${write}say more`), gates: red },
  ],
  ['a promise with red gates', 'needs-review', { agent: agent(green), gates: red }],
  [
    'a plan that the agent empties',
    'needs-review',
    { agent: agent(`: > PLAN.md; ${green}`), plan: 'PLAN.md' },
  ],
  [
    'a plan that the agent deletes',
    'needs-review',
    { agent: agent(`rm -f PLAN.md; ${green}`), plan: 'PLAN.md' },
  ],
  [
    'a model that the proxy refuses',
    'denied',
    {
      agent: agent(
        `record '"last":{"status":403,"state":"denied"},"denial":{"code":"model/refused","message":"No."}'; exit 1`,
      ),
    },
  ],
]

describe('endings', () => {
  let scene: Scene
  before(async () => {
    scene = await startScene()
    await scene.start({ parallel: 4 })
  })
  after(() => scene[Symbol.asyncDispose]())

  describe('one of each', { concurrency: 4 }, () => {
    for (const [title, ending, loop] of cases) {
      test(`${title}: ${ending}`, async () => {
        const { id } = await scene.submit(loop)
        const ended = await scene.ended(id)
        assert.equal(ended.ending, ending, ended.reason ?? '')
        assert.equal(ended.exitCode, endings[ended.ending!])
        const last = (await scene.events(id)).at(-1)!
        assert.ok(last.event === 'ended' && last.ending === ending && last.reason === ended.reason)
      })
    }
  })

  test('a loop is cancelled while its agent runs, and its work is kept', async () => {
    const { id } = await scene.submit({ agent: agent('echo x > x; touch "$HOME/ready"; sleep 60') })
    await until(async () => ((await scene.passes(id))[0]?.sandbox ? true : undefined))
    await new Promise((resolve) => setTimeout(resolve, 400))
    const answer = await scene.call('POST', `/api/loops/${id}/cancel`)
    assert.equal(answer.status, 202)
    const loop = await scene.ended(id)
    assert.equal(loop.ending, 'cancelled')
    assert.equal(git(scene.source, 'show', `${loop.branch}:x`), 'x')
  })

  test('a loop is cancelled while its gates run', async () => {
    const { id } = await scene.submit({ gates: [{ name: 'slow', command: 'sleep 60' }] })
    await until(async () => ((await scene.passes(id))[0]?.phase === 'gates' ? true : undefined))
    await scene.call('POST', `/api/loops/${id}/cancel`)
    assert.equal((await scene.ended(id)).ending, 'cancelled')
  })

  test('a loop that waits for a slot is cancelled without one', async () => {
    const busy = await Promise.all(
      Array.from({ length: 4 }, () => scene.submit({ agent: agent('sleep 60') })),
    )
    const { id } = await scene.submit()
    await scene.call('POST', `/api/loops/${id}/cancel`)
    const loop = await scene.ended(id)
    assert.deepEqual([loop.ending, loop.passes], ['cancelled', 0])
    for (const one of busy) await scene.call('POST', `/api/loops/${one.id}/cancel`)
    for (const one of busy) assert.equal((await scene.ended(one.id)).ending, 'cancelled')
  })

  test('a rate limit pauses the pass, and counts for nothing', async () => {
    const { id } = await scene.submit({
      agent: agent(`record '"last":{"status":429,"error":"slow down","retryAfterS":60}'; exit 1`),
    })
    const paused = await until(async () => {
      const loop = await scene.loop(id)
      return loop.state === 'paused' ? loop : undefined
    })
    assert.equal(paused.passes, 0)
    const [pass] = await scene.passes(id)
    assert.deepEqual([pass!.phase, pass!.next, pass!.gates], ['agent', 'paused', []])
    await scene.postgres.query('update spool.loops set ready_at = now() where id = $1', [id])
    await until(async () => ((await scene.passes(id))[0]!.attempt === 2 ? true : undefined))
    await scene.call('POST', `/api/loops/${id}/cancel`)
    const loop = await scene.ended(id)
    assert.equal(loop.ending, 'cancelled')
  })

  test('a machine that cannot isolate fails the loop at once', async () => {
    scene.doubles.refuse.push('weaver/unavailable')
    const loop = await scene.ended((await scene.submit()).id)
    assert.deepEqual([loop.ending, loop.passes], ['failed', 1])
    assert.match(loop.reason!, /cannot isolate/)
  })

  test('a machine that is full makes a loop wait', async () => {
    scene.doubles.refuse.push('weaver/full')
    const { id } = await scene.submit()
    await until(async () => ((await scene.loop(id)).state === 'paused' ? true : undefined))
    await scene.postgres.query('update spool.loops set ready_at = now() where id = $1', [id])
    assert.equal((await scene.ended(id)).ending, 'done')
  })

  test('work of a loop that ends otherwise than done is delivered all the same', async () => {
    const loop: Loop = await scene.ended(
      (
        await scene.submit({
          agent: agent(`${write}say more`),
          gates: red,
          caps: { iterations: 1 },
        })
      ).id,
    )
    assert.equal(loop.ending, 'capped: iterations')
    assert.equal(git(scene.source, 'rev-list', '--count', `main..${loop.branch}`), '1')
  })

  test('a loop that changed nothing leaves no branch, unless it is done', async () => {
    const loop = await scene.ended(
      (await scene.submit({ agent: agent('say later'), caps: { iterations: 1 } })).id,
    )
    assert.deepEqual([loop.branch, loop.bundle], [null, null])
  })
})
