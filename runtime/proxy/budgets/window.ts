// The windows of a budget: by the calendar of its time zone, so a day may have 23 or 25 hours.
import type { BudgetWindow } from '../api.ts'

/** From its start on, up to its end and not with it. `total` has neither: 0 and infinity. */
export type Span = { startMs: number; endMs: number }

/** The window that a moment lies in. Pure. */
export function planWindow(window: BudgetWindow, zone: string, atMs: number): Span {
  if (window === 'total') return { startMs: 0, endMs: Number.POSITIVE_INFINITY }
  const at = Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(zone)
  if (window === 'minute') return toClockSpan(at, 60_000)
  if (window === 'hour') return toClockSpan(at, 3_600_000)
  const day = at.toPlainDate()
  if (window === 'day') return toDaysSpan(day, day.add({ days: 1 }), zone)
  if (window === 'week') {
    const monday = day.subtract({ days: day.dayOfWeek - 1 }) // ISO 8601: a week begins on its Monday.
    return toDaysSpan(monday, monday.add({ weeks: 1 }), zone)
  }
  const first = day.with({ day: 1 })
  return toDaysSpan(first, first.add({ months: 1 }), zone)
}

/** Hours and minutes are lengths of real time, begun where the zone's clock is full: there are zones of half an hour. */
function toClockSpan(at: Temporal.ZonedDateTime, lengthMs: number): Span {
  const offsetMs = at.offsetNanoseconds / 1_000_000
  const local = at.epochMilliseconds + offsetMs
  const startMs = Math.floor(local / lengthMs) * lengthMs - offsetMs
  return { startMs, endMs: startMs + lengthMs }
}

/** A day begins at its first moment, which is not midnight where the clock is put forward then. */
const toDaysSpan = (from: Temporal.PlainDate, to: Temporal.PlainDate, zone: string): Span => ({
  startMs: from.toZonedDateTime(zone).epochMilliseconds,
  endMs: to.toZonedDateTime(zone).epochMilliseconds,
})

export function isZone(zone: string): boolean {
  if (!/^[A-Za-z]/.test(zone)) return false // Plain offsets know no summer time, so they are no zone here.
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(zone)
    return true
  } catch {
    return false // As documented: a RangeError for a name that is no zone.
  }
}

/** `in 3 h 12 m`: how far off a moment is, as a person says it. */
export function toWaitText(ms: number): string {
  const minutes = Math.ceil(ms / 60_000)
  if (ms < 60_000) return `in ${Math.max(1, Math.ceil(ms / 1_000))} s`
  if (minutes < 60) return `in ${minutes} m`
  const hours = Math.floor(minutes / 60)
  if (hours < 48) return `in ${hours} h ${String(minutes % 60).padStart(2, '0')} m`
  return `in ${Math.floor(hours / 24)} d ${hours % 24} h`
}
