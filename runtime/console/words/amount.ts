// Figures as people read them. Money comes in nano-dollars, times in milliseconds.

/** `$1.23`, `$0.0145`, `$0`: four digits below a dollar, for one pass costs cents. */
export function toMoney(nanoUsd: number): string {
  const usd = nanoUsd / 1e9
  if (usd === 0) return '$0'
  if (usd < 0.0001) return '<$0.0001'
  if (usd < 1) return `$${usd.toFixed(4)}`
  return `$${usd.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`
}

/** `950`, `9.4k`, `1.2M`. */
export function toCount(count: number): string {
  if (count < 1_000) return String(count)
  if (count < 1_000_000) return `${trim(count / 1_000)}k`
  if (count < 1_000_000_000) return `${trim(count / 1_000_000)}M`
  return `${trim(count / 1_000_000_000)}G`
}
const trim = (value: number) =>
  value < 100 ? value.toFixed(1).replace(/\.0$/, '') : value.toFixed(0)

/** `340 ms`, `4.2 s`, `3 m 05 s`, `2 h 10 m`, `3 d 4 h`. */
export function toSpan(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`
  const seconds = Math.round(ms / 1_000)
  const two = (value: number) => String(value).padStart(2, '0')
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} m ${two(seconds % 60)} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 1_440) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} m`
  return `${Math.floor(minutes / 1_440)} d ${Math.floor((minutes % 1_440) / 60)} h`
}

/** `just now`, `4 m ago`, `2 h ago`, `3 d ago`, else the date. */
export function toAgo(at: string | number, now: number): string {
  const ms = now - new Date(at).getTime()
  if (ms < 0) return `in ${toSpan(-ms)}`
  if (ms < 10_000) return 'just now'
  if (ms < 60_000) return `${Math.floor(ms / 1_000)} s ago`
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} m ago`
  if (ms < 86_400_000) return `${Math.floor(ms / 3_600_000)} h ago`
  if (ms < 30 * 86_400_000) return `${Math.floor(ms / 86_400_000)} d ago`
  return new Date(at).toISOString().slice(0, 10)
}

export const toBytes = (bytes: number): string =>
  bytes < 1_024
    ? `${bytes} B`
    : bytes < 1_048_576
      ? `${(bytes / 1_024).toFixed(1)} KiB`
      : `${(bytes / 1_048_576).toFixed(1)} MiB`
