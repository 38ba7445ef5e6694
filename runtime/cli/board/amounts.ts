// Amounts in few columns, and how much of a loop's caps is used. Pure.
import { toUsd } from '#kernel/units.ts'
import type { LoopSummary } from '../../spool/api.ts'
import { toCountText } from '../event-text.ts'

/** `9s`, `4m05s`, `2h03m`, `3d04h`: six columns at most. */
export function toSpanText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000))
  const two = (count: number) => String(count).padStart(2, '0')
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m${two(seconds % 60)}s`
  if (seconds < 86_400)
    return `${Math.floor(seconds / 3_600)}h${two(Math.floor(seconds / 60) % 60)}m`
  return `${Math.floor(seconds / 86_400)}d${two(Math.floor(seconds / 3_600) % 24)}h`
}

/** `$0.0421`, `$12.34`, `$1234`: seven columns where it is under a million. */
export function toMoneyText(nanoUsd: number): string {
  const usd = toUsd(nanoUsd)
  if (usd < 10) return `$${usd.toFixed(4)}`
  return `$${usd.toFixed(usd < 1_000 ? 2 : 0)}`
}

export function elapsedMs({ startedAt, endedAt }: LoopSummary, now: number): number | null {
  if (startedAt === null) return null
  return (endedAt === null ? now : Date.parse(endedAt)) - Date.parse(startedAt)
}

export type Gauge = { name: string; used: number; text: string }

/** Every cap the loop has, with the part of it that is used: 0 to 1, or over. */
export function toGauges(loop: LoopSummary, now: number): Gauge[] {
  const { caps, passes, usage, costNanoUsd } = loop
  const ms = elapsedMs(loop, now) ?? 0
  const tokens = usage.inputTokens + usage.outputTokens
  const gauge = (name: string, is: number, max: number, text: string): Gauge => ({
    name,
    used: is / max,
    text,
  })
  return [
    gauge('passes', passes, caps.iterations, `${passes}/${caps.iterations}`),
    gauge('time', ms, caps.time, `${toSpanText(ms)}/${toSpanText(caps.time)}`),
    ...(caps.usd === undefined
      ? []
      : [gauge('usd', toUsd(costNanoUsd), caps.usd, `${toMoneyText(costNanoUsd)}/$${caps.usd}`)]),
    ...(caps.tokens === undefined
      ? []
      : [
          gauge(
            'tokens',
            tokens,
            caps.tokens,
            `${toCountText(tokens)}/${toCountText(caps.tokens)}`,
          ),
        ]),
  ]
}

/** The one that ends the loop first, if it goes on as it went. */
export const fullest = (gauges: readonly Gauge[]): Gauge =>
  gauges.reduce((fullest, gauge) => (gauge.used > fullest.used ? gauge : fullest))
