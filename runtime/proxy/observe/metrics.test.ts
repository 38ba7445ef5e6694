import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { noUsage, toBegun, toFacts } from '../ledger-line.ts'
import type { LiveProvider } from '../providers.ts'
import { UpstreamError } from '../upstream/error.ts'
import { type CallEnding, CallWatch } from './call-watch.ts'
import { toText } from './exposition.ts'
import { createMetrics } from './metrics.ts'
import { parseMetrics } from './testing.ts'

const ending: CallEnding = {
  ...{ outcome: 'complete', status: 200, state: 'settled' },
  usage: { ...noUsage, inputTokens: 1_000, outputTokens: 41 },
  ...{ costNanoUsd: 2_500_000, stopReason: 'end_turn', error: null },
}

type Who = {
  org?: string
  provider?: string
  kind?: 'openai' | 'anthropic'
  model?: string
  wire?: 'messages' | 'chat'
}

function watchOf(who: Who = {}): CallWatch {
  const { org = 'north', provider = 'acme', model = 'm-1', wire = 'messages' } = who
  const caller = { org, user: 'mia', key: 'key-1', team: null, sandbox: null }
  const known = { id: 'call-1', caller, provider, model, wire } as const
  const begun = toBegun(toFacts({ ...known, beganAt: new Date() }, false), 'anthropic', 100)
  const arrival = { atMs: performance.now(), bodyMs: 0 }
  return new CallWatch(begun, { arrival, headers: [], operation: 'generate' }, { ended: () => {} })
}

function streamed(who?: Who): CallWatch {
  const watch = watchOf(who)
  watch.sent({ name: who?.provider ?? 'acme', kind: who?.kind ?? 'anthropic' })
  watch.head('text/event-stream; charset=utf-8')
  watch.data(100)
  watch.lastByte()
  return watch
}

describe('the metrics', () => {
  test('are well formed, and tell tokens, money and times of a stream', () => {
    const metrics = createMetrics()
    const watch = streamed()
    watch.sentAtMs = 1_000
    watch.firstByteAtMs = 1_500
    watch.lastByteAtMs = 3_500
    metrics.ended(watch, ending)
    const found = parseMetrics(toText(metrics.families(null)))
    const one = (name: string, labels: object) =>
      found.find((sample) => sample.name === name && includes(sample.labels, labels))?.value
    const of = { gen_ai_operation_name: 'chat', gen_ai_provider_name: 'anthropic' }
    const call = { ...of, gen_ai_request_model: 'm-1', provider: 'acme', org: 'north' }
    for (const [name, labels, value] of [
      ['gen_ai_client_token_usage_sum', { ...call, gen_ai_token_type: 'input' }, 1_000],
      ['gen_ai_client_token_usage_sum', { ...call, gen_ai_token_type: 'output' }, 41],
      ['gen_ai_client_token_usage_bucket', { gen_ai_token_type: 'input', le: '256' }, 0],
      ['gen_ai_client_token_usage_bucket', { gen_ai_token_type: 'input', le: '1024' }, 1],
      ['gen_ai_server_request_duration_seconds_sum', call, 2.5],
      ['gen_ai_server_time_to_first_token_seconds_sum', call, 0.5],
      ['gen_ai_server_time_per_output_token_seconds_sum', call, 0.05],
      ['treadle_proxy_calls_total', { outcome: 'complete', model: 'm-1', wire: 'messages' }, 1],
      ['treadle_proxy_cost_usd_total', { provider: 'acme' }, 0.0025],
      ['treadle_proxy_unpriced_calls_total', {}, 0],
      ['treadle_proxy_estimated_calls_total', {}, 0],
      ['treadle_proxy_retries_total', {}, 0],
      ['treadle_proxy_overhead_seconds_count', {}, 1],
    ] as const)
      assert.equal(one(name, labels), value, name)
  })

  test('tell what upstreams do wrong by its class, and what this proxy refuses by its code', () => {
    const metrics = createMetrics()
    const late = new UpstreamError('first-byte-timeout', 'it is late')
    for (const [status, outcome, error] of [
      [529, 'refused', null],
      [429, 'complete', null],
      [401, 'complete', null],
      [400, 'complete', null],
      [500, 'complete', null],
      [200, 'cut', late],
      [null, 'unanswered', late],
      [null, 'unsent', null],
      [200, 'client-left', null],
      [200, 'complete', null],
    ] as const) {
      const watch = watchOf()
      const provider = { name: 'acme', kind: 'anthropic' } as LiveProvider
      const target = { provider, path: '', headers: [], body: Buffer.alloc(0) }
      watch.tried({ target, outcome, status, error })
      metrics.ended(watch, ending)
    }
    metrics.refused('credential/absent')
    const found = parseMetrics(toText(metrics.families(null)))
    const classes = found
      .filter(({ name }) => name === 'treadle_proxy_upstream_errors_total')
      .map(({ labels }) => labels['class'])
    assert.deepEqual(classes, [
      ...['overloaded', 'rate-limited', 'credential', 'refused', 'failed', 'cut', 'timeout'],
      'unsent',
    ])
    const refusal = found.find(({ name }) => name === 'treadle_proxy_refusals_total')
    assert.deepEqual(refusal?.labels, { code: 'credential/absent' })
    assert.ok(
      !toText(metrics.families(null)).includes('first_token'),
      'no stream, no time to a token',
    )
  })

  test('tell apart a model on two wires, and providers of two kinds that share what is left over', () => {
    const metrics = createMetrics()
    for (const wire of ['messages', 'chat'] as const) metrics.ended(streamed({ wire }), ending)
    for (let n = 0; n < 60; n += 1)
      for (const kind of ['openai', 'anthropic'] as const)
        metrics.ended(streamed({ org: `org-${n}`, provider: `${kind}-${n}`, kind }), ending)
    const calls = parseMetrics(toText(metrics.families(null))).filter(
      ({ name }) => name === 'treadle_proxy_calls_total',
    )
    const left = calls.filter(({ labels }) => labels['provider'] === 'other')
    assert.ok(new Set(left.map(({ labels }) => labels['kind'])).size === 2)
  })

  test('show an organisation no other one', () => {
    const metrics = createMetrics()
    for (const org of ['north', 'south'])
      metrics.ended(streamed({ org, provider: `of-${org}` }), ending)
    metrics.addGauge({
      ...{ name: 'budget_left_ratio', help: 'What is left.', type: 'gauge' },
      read: () => ['north', 'south'].map((org) => ({ labels: { org }, value: 0.5, org })),
    })
    assert.ok(toText(metrics.families(null)).includes('of-south'))
    assert.ok(toText(metrics.families('north')).includes('budget_left_ratio{org="north"} 0.5'))
    assert.ok(!toText(metrics.families('north')).includes('south'))
  })

  test('stay bounded, whatever models are named, and repeat nothing that a client typed', () => {
    const metrics = createMetrics()
    const typed = 'sk-secret"}\n\\ and words'
    metrics.ended(streamed({ model: typed }), ending)
    metrics.ended(streamed({ model: 'never-answered' }), { ...ending, status: 404 })
    for (let n = 0; n < 3_000; n += 1)
      metrics.ended(streamed({ org: `org-${n % 40}`, model: `model-${n}` }), ending)
    const text = toText(metrics.families(null))
    const calls = parseMetrics(text).filter(({ name }) => name === 'treadle_proxy_calls_total')
    const models = new Set(calls.map(({ labels }) => labels['model']))
    assert.ok(calls.length <= 501 && models.size <= 201, `${calls.length}, ${models.size}`)
    assert.equal(
      calls.reduce((sum, { value }) => sum + value, 0),
      3_002,
    )
    assert.ok(!/sk-secret|never-answered/.test(text))
  })

  test('cost a call less than 3 µs', () => {
    const metrics = createMetrics()
    const [watch, calls] = [streamed(), 20_000]
    const measure = () => {
      const began = performance.now()
      for (let n = 0; n < calls; n += 1) metrics.ended(watch, ending)
      return ((performance.now() - began) * 1_000) / calls
    }
    // The best of many short runs: the machine does other things as well.
    const best = Math.min(...Array.from({ length: 20 }, measure))
    assert.ok(best < 3, `${best.toFixed(2)} µs`)
  })
})

const includes = (all: Readonly<Record<string, string>>, some: object) =>
  Object.entries(some).every(([name, value]) => all[name] === value)
