// Where a body is changed if it must be: a bound of the output, and the wish for usage at a stream's end.
import type { Wire } from '../api.ts'
import type { Draft } from './keys.ts'
import { type Span, skipSpace } from './walk.ts'

/** What stands at `from` to `to` gives way to a value between `before` and `after`. */
export type Slot = Span & { readonly before: string; readonly after: string }

/** Just behind the body's opening brace. */
type Top = { at: number; isEmpty: boolean }

const outputKeys: Readonly<Record<Wire, string>> = {
  messages: 'max_tokens',
  chat: 'max_completion_tokens',
  responses: 'max_output_tokens',
  gemini: 'maxOutputTokens',
}

export function toOutputSlot(draft: Draft, wire: Wire, top: Top): Slot {
  const there = draft.outputMax?.span ?? draft.outputNull
  if (there) return { ...there, before: '', after: '' }
  const key = outputKeys[wire]
  if (wire !== 'gemini') return toInsertion(top, key)
  const { config, walk } = draft
  if (!config) return wrap(toInsertion(top, 'generationConfig'), key)
  return toMember(walk.body, config, key)
}

export function toUsageSlot(draft: Draft, top: Top): Slot | null {
  if (draft.includeUsage === true) return null
  const { streamOptions, walk } = draft
  if (!streamOptions) return wrap(toInsertion(top, 'stream_options'), 'include_usage')
  if (draft.usageSpan) return { ...draft.usageSpan, before: '', after: '' }
  return toMember(walk.body, streamOptions, 'include_usage')
}

const toInsertion = ({ at, isEmpty }: Top, key: string): Slot => ({
  from: at,
  to: at,
  before: `"${key}":`,
  after: isEmpty ? '' : ',',
})

const wrap = (slot: Slot, key: string): Slot => ({
  ...slot,
  before: `${slot.before}{"${key}":`,
  after: `}${slot.after}`,
})

/** A further member of the object at `span`, which may be null. */
function toMember(body: Buffer, span: Span, key: string): Slot {
  if (body[span.from] !== 0x7b) return { ...span, before: `{"${key}":`, after: '}' }
  const at = span.from + 1
  return toInsertion({ at, isEmpty: skipSpace(body, at) === span.to - 1 }, key)
}
