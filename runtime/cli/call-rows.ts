// The calls of `treadle usage --calls`, as a table and for spreadsheets.
import { toDurationText, toUsdText } from '#kernel/units.ts'
import type { Call } from '../proxy/api.ts'
import { type CsvColumn, toUsdNumber } from './csv.ts'
import { toCountText, toSpanText, toTimeText } from './event-text.ts'
import type { Column } from './table.ts'

const toModelText = ({ model, isRehearsal }: Call) => model + (isRehearsal ? ' (rehearsal)' : '')

const toCostText = ({ costNanoUsd, isPriced, state }: Call) =>
  `${isPriced ? '' : '≥'}${state === 'estimated' ? '~' : ''}${toUsdText(costNanoUsd)}`

/** 429 says more than settled; a call that never got an answer has its state alone. */
const toStateText = ({ state, status }: Call) => (status === null ? state : `${state} ${status}`)

const toTagsText = (tags: Call['tags'] | undefined) =>
  Object.entries(tags ?? {})
    .map(([name, value]) => `${name}=${value}`)
    .join(', ')

export const callColumns: Column<Call>[] = [
  { title: 'BEGAN', of: ({ beganAt }) => toTimeText(beganAt) },
  { title: 'PASS', of: ({ pass }) => String(pass ?? '-'), align: 'right' },
  { title: 'PROVIDER', of: ({ provider }) => provider ?? '-' },
  { title: 'MODEL', of: toModelText },
  { title: 'STATE', of: toStateText },
  {
    title: 'FIRST BYTE',
    of: ({ firstByteMs }) => (firstByteMs === null ? '-' : toDurationText(firstByteMs)),
    align: 'right',
  },
  { title: 'TOOK', of: ({ beganAt, endedAt }) => toSpanText(beganAt, endedAt), align: 'right' },
  { title: 'IN', of: ({ usage }) => toCountText(usage.inputTokens), align: 'right' },
  { title: 'CACHED', of: ({ usage }) => toCountText(usage.cachedTokens), align: 'right' },
  { title: 'OUT', of: ({ usage }) => toCountText(usage.outputTokens), align: 'right' },
  { title: 'COST', of: toCostText, align: 'right' },
  { title: 'ERROR', of: ({ error }) => error ?? '-' },
]

export const callCsvColumns: CsvColumn<Call>[] = [
  ['began_at', ({ beganAt }) => beganAt],
  ['ended_at', ({ endedAt }) => endedAt],
  ['first_byte_ms', ({ firstByteMs }) => firstByteMs],
  ['call', ({ id }) => id],
  ['loop', ({ loop }) => loop],
  ['pass', ({ pass }) => pass],
  ['attempt', ({ attempt }) => attempt],
  ['sandbox', ({ sandbox }) => sandbox],
  ['key', ({ key }) => key],
  ['team', ({ team }) => team ?? null],
  ['end_user', ({ endUser }) => endUser ?? null],
  ['tags', ({ tags }) => toTagsText(tags)],
  ['provider', ({ provider }) => provider],
  ['model', ({ model }) => model],
  ['wire', ({ wire }) => wire],
  ['rehearsal', ({ isRehearsal }) => String(isRehearsal)],
  ['state', ({ state }) => state],
  ['status', ({ status }) => status],
  ['stop_reason', ({ stopReason }) => stopReason],
  ['tool_calls', ({ toolCalls }) => toolCalls],
  ['input_tokens', ({ usage }) => usage.inputTokens],
  ['cached_tokens', ({ usage }) => usage.cachedTokens],
  ['cache_write_tokens', ({ usage }) => usage.cacheWriteTokens],
  ['cache_write_1h_tokens', ({ usage }) => usage.cacheWrite1hTokens ?? 0],
  ['output_tokens', ({ usage }) => usage.outputTokens],
  ['reasoning_tokens', ({ usage }) => usage.reasoningTokens ?? 0],
  ['service_tier', ({ serviceTier }) => serviceTier ?? null],
  ['cost_usd', ({ costNanoUsd }) => toUsdNumber(costNanoUsd)],
  ['priced', ({ isPriced }) => String(isPriced)],
  ['error', ({ error }) => error],
]
