import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { type Loop, type LoopPage, NewLoop } from './api.ts'
import { type Filter, listLoops } from './sql/lists.ts'
import { insertLoop } from './sql/loops.ts'
import { newLoop, type Scene, startScene } from './testing/scene.ts'

describe('lists of loops', () => {
  let scene: Scene
  const ids: Record<string, string> = {}
  const put = async (name: string, more: object, org = 'default', user = 'owner') => {
    const id = randomUUID()
    const spec = NewLoop.parse({ ...newLoop('/srv/plain'), name, ...more })
    await scene.deps.db.query(insertLoop({ id, org, user, spec, retryOf: null, isTrusted: true }))
    ids[name] = id
    // Later, so that nobody takes them up.
    await scene.postgres.query(
      "update spool.loops set ready_at = now() + interval '1 day' where id = $1",
      [id],
    )
  }
  before(async () => {
    scene = await startScene()
    await put('first', { repository: '/srv/Shop', agent: 'builtin' })
    await put(
      'second',
      { model: 'model-b', repository: 'https://example.org/UPPER.git' },
      'default',
      'mia',
    )
    await put('third', { model: 'model-c', plan: 'PLAN.md' })
    await put('foreign', {}, 'other')
    await scene.postgres.query(
      "update spool.loops set state = 'ended', ending = 'stuck', ended_at = now() where id = $1",
      [ids['third']],
    )
    await scene.start()
  })
  after(() => scene[Symbol.asyncDispose]())
  const list = async (query: string, claims = {}) => {
    const response = await scene.call('GET', `/api/loops?${query}`, undefined, claims)
    assert.equal(response.status, 200)
    return (await response.json()) as LoopPage
  }
  const names = async (query: string) => (await list(query)).items.map(({ name }) => name)

  for (const [query, expected] of [
    ['', ['third', 'second', 'first']],
    ['state=queued', ['second', 'first']],
    ['state=queued,ended', ['third', 'second', 'first']],
    ['state=queued&state=ended', ['third', 'second', 'first']],
    ['ending=stuck', ['third']],
    ['ending=done,capped:%20time', []],
    ['agent=builtin', ['first']],
    ['agent=command', ['third', 'second']],
    ['model=model-b,model-c', ['third', 'second']],
    ['user=mia', ['second']],
    ['q=SHOP', ['first']],
    ['q=upper', ['second']],
    ['q=eco', ['second']],
    ['q=%25', []],
    ['q=_', []],
    ["q='", []],
    ['state=queued&q=srv&agent=command', []],
  ] as const) {
    test(`the filter ${query || '(none)'} finds ${expected.join(', ') || 'nothing'}`, async () => {
      assert.deepEqual(await names(query), expected)
      assert.equal((await list(query)).total, expected.length)
    })
  }

  test('a part of an id from its start on finds its loop, and the total counts all pages', async () => {
    const id = ids['second']!
    assert.deepEqual(await names(`q=${id.slice(0, 8)}`), ['second'])
    assert.deepEqual(await names(`q=${id.slice(1, 12)}`), [])
    const { items, total, cursor } = await list('limit=2')
    assert.deepEqual([items.length, total], [2, 3])
    assert.deepEqual(await names(`limit=2&cursor=${cursor}`), ['first'])
  })

  test('a summary has what lists show, and no prompt', async () => {
    const [loop] = (await list(`q=${ids['first']}`)).items
    assert.ok(!('spec' in loop!))
    assert.deepEqual(
      [loop!.repository, loop!.ref, loop!.agent, loop!.isHeld, loop!.pass, loop!.openItems],
      ['/srv/Shop', 'HEAD', 'builtin', false, null, null],
    )
    assert.equal(loop!.caps.iterations, 20)
    const whole = (await (await scene.call('GET', `/api/loops/${loop!.id}`)).json()) as Loop
    const { spec, base, ...rest } = whole
    assert.deepEqual(rest, loop)
    assert.deepEqual([spec.prompt.length > 0, base], [true, null])
  })

  test('another organisation is not found by any filter', async () => {
    for (const query of ['', 'q=foreign', `q=${ids['foreign']}`, `cursor=${ids['foreign']}`])
      assert.ok(!(await names(query)).includes('foreign'))
    assert.deepEqual((await list('q=srv', { org: 'other', sub: 'eve' })).total, 1)
  })

  test('a filter that is none is refused with what is wrong', async () => {
    for (const query of ['state=gone', 'ending=x', 'limit=201', 'limit=0', 'colour=red']) {
      const response = await scene.call('GET', `/api/loops?${query}`)
      assert.equal(response.status, 400)
      const { problems } = (await response.json()) as { problems: unknown[] }
      assert.equal(problems.length, 1)
    }
  })

  test('10,000 loops of 20 passes are read a page at a time, by index, in under 50 ms', async () => {
    const { query } = scene.postgres
    const spec = JSON.stringify(
      NewLoop.parse({ ...newLoop('/srv/many'), prompt: 'x'.repeat(5_000) }),
    )
    await query(
      `insert into spool.loops (id, org, user_id, name, spec, is_trusted, state, ending, ended_at, created_at)
       select gen_random_uuid()::text, 'many', 'u', 'loop-' || n, $1::jsonb, true, 'ended', 'done', now(),
         now() - n * interval '1 second' from generate_series(1, 10000) n`,
      [spec],
    )
    await query('alter table spool.passes disable trigger pass_made') // It would write each loop's row 20 times.
    await query(
      `insert into spool.passes (loop, pass, phase, sha) select id, n, 'settled', 'x'
       from spool.loops, generate_series(1, 20) n where org = 'many'`,
    )
    await query('alter table spool.passes enable trigger pass_made')
    await query('analyze')
    const filter: Filter = {
      ...{ org: 'many', states: [], endings: [], agents: [], models: [], users: [], text: '' },
    }
    const all = await query(
      "select id from spool.loops where org = 'many' order by created_at desc, id desc",
    )
    for (const at of [0, 5_000, 9_790]) {
      const cursor = at === 0 ? null : String(all[at]!['id'])
      const best = Math.min(...(await plans(listLoops(filter, { cursor, limit: 200 }))))
      assert.ok(best < 50, `${best} ms from ${at} on`)
    }
  })

  /** How long the database takes, of three runs; fails where a page reads more than its rows. */
  async function plans(statement: { sql: string; values: readonly unknown[] }): Promise<number[]> {
    const text = statement.sql.replaceAll('$slonik_', '$')
    const times: number[] = []
    for (const _ of [1, 2, 3]) {
      const [row] = await scene.postgres.query(`explain (analyze, format json) ${text}`, [
        ...statement.values,
      ])
      const [{ Plan: plan, 'Execution Time': ms }] = row!['QUERY PLAN'] as [
        { Plan: Node; 'Execution Time': number },
      ]
      for (const node of nodes(plan)) {
        const read = node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)
        assert.ok(read <= 200, JSON.stringify(node))
      }
      times.push(ms)
    }
    return times
  }

  type Node = { 'Actual Rows': number; 'Rows Removed by Filter'?: number; Plans?: Node[] }
  const nodes = (plan: Node): Node[] => [plan, ...(plan.Plans ?? []).flatMap(nodes)]
})
