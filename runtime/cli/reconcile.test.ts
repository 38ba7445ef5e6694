import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { parseCsv } from './reconcile/csv-read.ts'
import { parseInvoice } from './reconcile/invoice.ts'
import { answer, run, startInstance, type TestInstance, usageRow } from './testing.ts'

const rowOf = (day: string, model: string, costNanoUsd: number, usage: object = {}) => ({
  ...usageRow,
  ...{ day, model, costNanoUsd, estimatedCalls: 0, unpricedCalls: 0 },
  usage: {
    ...usageRow.usage,
    ...{ inputTokens: 1_000, cachedTokens: 600, cacheWriteTokens: 100, outputTokens: 50 },
    ...usage,
  },
})
const days: Record<string, object[]> = {
  '2026-11-01': [
    rowOf('2026-11-01', 'claude-opus-4-5', 10_000_000),
    { ...rowOf('2026-11-01', 'rehearsal/x', 99), isRehearsal: true },
  ],
  '2026-11-02': [rowOf('2026-11-02', 'claude-opus-4-5', 20_000_000)],
}

const exports: Record<string, [text: string, isEqual: boolean]> = {
  "Anthropic's usage": [
    `usage_date_utc,model_version,api_key,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens,web_search_count
2026-11-01,claude-opus-4-5-20251101,"a, ""b""",100,40,20,200,20,0
2026-11-01,claude-opus-4-5-20251101,c,200,40,0,400,30,0
2026-11-02,claude-opus-4-5-20251101,c,300,60,40,600,50,0
`,
    true,
  ],
  "Anthropic's cost": [
    '\ufeffusage_date_utc,model,token_type,cost_usd\r\n2026-11-01,Claude Opus 4.5,input,0.004\r\n2026-11-01,Claude Opus 4.5,output,0.006\r\n2026-11-02,Claude Opus 4.5,output,0.02\r\n',
    true,
  ],
  "OpenAI's usage": [
    `start_time,start_time_iso,model,input_tokens,input_cached_tokens,output_tokens,num_model_requests
1793491200,2026-11-01T00:00:00+00:00,claude-opus-4-5,1000,600,50,3
1793577600,2026-11-02T00:00:00+00:00,claude-opus-4-5,1000,600,50,3`,
    true,
  ],
  "OpenAI's cost": [
    `start_time,amount_value,amount_currency,line_item
1793491200,0.004,usd,"claude-opus-4-5, input"
1793491200,0.006,usd,"claude-opus-4-5, output"
1793577600,0.02,usd,"claude-opus-4-5, output"`,
    true,
  ],
  'lines of JSON': [
    `{"day":"2026-11-01","model":"claude-opus-4-5","input":1000,"cached":600,"cacheWrite":100,"output":50,"usd":0.01}
{"day":"2026-11-02","model":"claude-opus-4-5","input":1000,"cached":600,"cacheWrite":100,"output":51,"usd":0.02}`,
    false,
  ],
}

describe('the ledger beside an invoice', () => {
  let instance: TestInstance
  before(async () => {
    instance = await startInstance({
      'GET /api/usage': ((request: { url?: string }, response: ServerResponse) => {
        const { searchParams } = new URL(request.url!, 'http://x')
        assert.equal(searchParams.get('from'), searchParams.get('to'))
        answer(response, 200, days[searchParams.get('from')!] ?? [])
      }) as never,
    })
  })
  after(() => instance[Symbol.asyncDispose]())

  const reconcile = async (text: string, ...more: string[]) => {
    const file = join(instance.folder, 'invoice')
    writeFileSync(file, text)
    return run(instance.folder, ['usage', 'reconcile', file, ...more])
  }

  for (const [name, [text, isEqual]] of Object.entries(exports)) {
    test(`${name} is compared by day and model`, async () => {
      const { code, stdout, stderr } = await reconcile(text, '--json')
      assert.equal(stderr, '')
      assert.equal(code, isEqual ? 0 : 1)
      const { rows } = JSON.parse(stdout) as { rows: { isEqual: boolean }[] }
      assert.deepEqual(
        rows.map((row) => row.isEqual),
        [true, isEqual],
      )
    })
  }

  test('only what differs is shown, with both sums', async () => {
    const { stdout } = await reconcile(exports['lines of JSON']![0])
    assert.deepEqual(stdout.trimEnd().split('\n'), [
      'DAY         MODEL            IN  CACHED  WRITTEN  OUT  USD   LEDGER  ESTIMATED  UNPRICED',
      '2026-11-02  claude-opus-4-5   =       =        =   -1    =  $0.0200          0         0',
      '',
      '1 of 2 days and models differ.',
      'ledger   2000 tokens in, 100 out, $0.0300',
      'invoice  2000 tokens in, 101 out, $0.0300',
    ])
  })

  test('a tolerance is in percent, and a provider may be picked', async () => {
    const [text] = exports['lines of JSON']!
    assert.equal((await reconcile(text, '--tolerance', '2')).code, 0)
    const { code, stdout } = await reconcile(text, '--provider', 'other')
    assert.equal(code, 1)
    assert.match(stdout, /^2 of 2 days and models differ\.$/m)
  })

  test('what one side alone has differs', async () => {
    const lines = '{"day":"2026-11-01","model":"gpt-5","input":5,"usd":1}'
    const { code, stdout } = await reconcile(lines, '--json')
    assert.equal(code, 1)
    const { rows } = JSON.parse(stdout) as { rows: { model: string; difference: object }[] }
    assert.deepEqual(
      rows.map(({ model, difference }) => [model, difference]),
      [
        [
          'claude-opus-4-5',
          { input: 1_000, cached: null, cacheWrite: null, output: null, nanoUsd: 10_000_000 },
        ],
        [
          'gpt-5',
          { input: -5, cached: null, cacheWrite: null, output: null, nanoUsd: -1_000_000_000 },
        ],
      ],
    )
  })

  for (const [title, text, why] of [
    ['without a day', 'model,input_tokens\nx,1\n', /no column has the day/],
    ['with a word for a number', 'date,model,output_tokens\n2026-11-01,x,many\n', /no number/],
    ['with a quote that is open', 'date,model\n2026-11-01,"x\n', /quote/],
    ['with nothing in it', '', /no column has the day/],
  ] as const) {
    test(`a file ${title} is wrong use, and says why`, async () => {
      const { code, stderr } = await reconcile(text)
      assert.equal(code, 2)
      assert.match(stderr, why)
    })
  }

  test('a tolerance that is no percentage is wrong use', async () => {
    assert.equal((await reconcile('', '--tolerance', 'some')).code, 2)
  })
})

describe('reading CSV', () => {
  test('gives back what was written, whatever it holds', () => {
    const cell = fc.string({ unit: 'grapheme' })
    const toCell = (text: string) => `"${text.replaceAll('"', '""')}"`
    fc.assert(
      fc.property(
        fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1 }),
        fc.constantFrom('\n', '\r\n', '\r'),
        (rows, end) => {
          const text = rows.map((cells) => cells.map(toCell).join(',')).join(end)
          const some = rows.filter((cells) => cells.some((value) => value.trim() !== ''))
          assert.deepEqual(parseCsv(text), some)
        },
      ),
    )
  })

  test('an empty last cell is a cell', () => {
    assert.deepEqual(parseCsv('a,b\n1,\n,2\n'), [
      ['a', 'b'],
      ['1', ''],
      ['', '2'],
    ])
    assert.deepEqual(parseCsv('a,'), [['a', '']])
  })

  test("a prompt without its cache is told by Anthropic's own names", () => {
    const text =
      'date,model,input_tokens,cache_read_input_tokens,cache_creation_input_tokens,output_tokens\n2026-11-01,m,10,20,30,4'
    const [row] = parseInvoice(text, 'x')
    assert.deepEqual([row!.input, row!.cached, row!.cacheWrite], [60, 20, 30])
  })
})
