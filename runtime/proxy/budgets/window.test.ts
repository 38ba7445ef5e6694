import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type BudgetWindow, budgetWindows } from '../api.ts'
import { isZone, planWindow, toWaitText } from './window.ts'

const spanAt = (window: BudgetWindow, zone: string, at: string) => {
  const { startMs, endMs } = planWindow(window, zone, Date.parse(at))
  return [new Date(startMs).toISOString(), new Date(endMs).toISOString()]
}

describe('the windows of a budget', () => {
  const cases: [string, BudgetWindow, string, string, string, string][] = [
    [
      'a minute',
      'minute',
      'UTC',
      '2026-11-29T08:09:10.5Z',
      '2026-11-29T08:09:00.000Z',
      '2026-11-29T08:10:00.000Z',
    ],
    [
      'an hour in a zone of half an hour',
      'hour',
      'Asia/Kolkata',
      '2026-11-29T08:09:10Z',
      '2026-11-29T07:30:00.000Z',
      '2026-11-29T08:30:00.000Z',
    ],
    [
      'a day in Berlin',
      'day',
      'Europe/Berlin',
      '2026-11-29T23:30:00Z',
      '2026-11-29T23:00:00.000Z',
      '2026-11-30T23:00:00.000Z',
    ],
    [
      'a day of 23 hours',
      'day',
      'Europe/Berlin',
      '2026-03-29T12:00:00Z',
      '2026-03-28T23:00:00.000Z',
      '2026-03-29T22:00:00.000Z',
    ],
    [
      'a day of 25 hours',
      'day',
      'Europe/Berlin',
      '2026-10-25T12:00:00Z',
      '2026-10-24T22:00:00.000Z',
      '2026-10-25T23:00:00.000Z',
    ],
    [
      'a day that has no midnight',
      'day',
      'Africa/Cairo',
      '2026-04-24T10:00:00Z',
      '2026-04-23T22:00:00.000Z',
      '2026-04-24T21:00:00.000Z',
    ],
    [
      'a week from Monday on',
      'week',
      'America/New_York',
      '2026-11-01T12:00:00Z',
      '2026-10-26T04:00:00.000Z',
      '2026-11-02T05:00:00.000Z',
    ],
    [
      'a month that ends in another year',
      'month',
      'UTC',
      '2026-12-31T23:59:59.999Z',
      '2026-12-01T00:00:00.000Z',
      '2027-01-01T00:00:00.000Z',
    ],
    [
      'a February of 29 days',
      'month',
      'Asia/Tokyo',
      '2028-02-29T12:00:00Z',
      '2028-01-31T15:00:00.000Z',
      '2028-02-29T15:00:00.000Z',
    ],
  ]
  for (const [title, window, zone, at, start, end] of cases) {
    test(`${title} begins and ends by the clock of its zone`, () => {
      assert.deepEqual(spanAt(window, zone, at), [start, end])
    })
  }

  test('the hour that comes twice is two windows', () => {
    const [first] = spanAt('hour', 'Europe/Berlin', '2026-10-25T00:30:00Z')
    const [second] = spanAt('hour', 'Europe/Berlin', '2026-10-25T01:30:00Z')
    assert.deepEqual([first, second], ['2026-10-25T00:00:00.000Z', '2026-10-25T01:00:00.000Z'])
  })

  test('a total has no end', () => {
    assert.deepEqual(planWindow('total', 'UTC', 5), { startMs: 0, endMs: Number.POSITIVE_INFINITY })
  })

  test('every moment lies in its window, and all moments of a window find the same one', () => {
    const zones = [
      'UTC',
      'Europe/Berlin',
      'America/St_Johns',
      'Asia/Kathmandu',
      'Africa/Cairo',
      'Pacific/Apia',
    ]
    const moments = fc.integer({ min: Date.UTC(2024, 0), max: Date.UTC(2030, 0) })
    const property = fc.property(
      fc.constantFrom(...budgetWindows),
      fc.constantFrom(...zones),
      moments,
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (window, zone, atMs, share) => {
        const span = planWindow(window, zone, atMs)
        assert.ok(span.startMs <= atMs && atMs < span.endMs)
        if (window === 'total') return
        const other = Math.floor(span.startMs + (span.endMs - span.startMs) * share)
        assert.deepEqual(planWindow(window, zone, other), span)
        assert.equal(planWindow(window, zone, span.endMs).startMs, span.endMs)
      },
    )
    fc.assert(property, { numRuns: 300 })
  })

  test('a name that is no zone is told apart', () => {
    assert.deepEqual(['Europe/Berlin', 'UTC', 'Mars/Base', '+02:00', ''].map(isZone), [
      true,
      true,
      false,
      false,
      false,
    ])
  })

  test('how far off a reset is reads as a person says it', () => {
    const texts = [500, 59_000, 61_000, 3 * 3_600_000 + 12 * 60_000, 3 * 86_400_000].map(toWaitText)
    assert.deepEqual(texts, ['in 1 s', 'in 59 s', 'in 2 m', 'in 3 h 12 m', 'in 3 d 0 h'])
  })
})
