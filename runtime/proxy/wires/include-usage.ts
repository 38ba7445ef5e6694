// A chat stream has usage only when it is asked for. Where the client does not ask, we do (`scan/slots.ts`), the answer comes
// unpacked (`accept-encoding: identity`), and the chunk that this adds is taken out again here.
// **Security.** Nothing else of the answer changes: guarded by include-usage.test.ts, at every cut.

/** Whether the answer's bytes can be looked at: a stream of events, and not packed. */
export const canTakeUsageOut = (contentType: string | undefined, encoding: string | undefined) =>
  /^text\/event-stream\b/i.test(contentType ?? '') && /^(identity)?$/i.test(encoding?.trim() ?? '')

export type UsageRemover = {
  /** What of the bytes so far is to go to the client now; null = nothing yet. */
  push(chunk: Buffer): Buffer | null
  /** What is left at the stream's end. */
  end(): Buffer | null
}

const heldBytesMax = 16 * 1024 // A chunk of usage has some hundred bytes; an event over this is none, and passes.
const lookBack = 3 // An event's end is four bytes at most.

/**
 * Takes events out of a stream whose `choices` are an empty list and whose `usage` is an object. All else passes byte for
 * byte, as soon as its event is whole.
 */
export function createUsageRemover(): UsageRemover {
  let held: Buffer = Buffer.alloc(0)
  /** Inside an event that is too large: the last bytes of it, else null. */
  let tail: string | null = null
  /** The last event ended with CR, so an LF that comes next is its own: whether it was taken out. */
  let endedByCr: 'no' | 'kept' | 'taken' = 'no'

  const pass = (chunk: Buffer, out: Buffer[]): Buffer => {
    if (tail === null) return chunk
    const end = firstEnd(tail + chunk.toString('latin1'))
    const passed = end < 0 ? chunk : chunk.subarray(0, Math.max(0, end - tail.length))
    out.push(passed)
    tail = end < 0 ? (tail + passed.toString('latin1')).slice(-lookBack) : null
    return chunk.subarray(passed.length)
  }

  const takeLf = (chunk: Buffer, out: Buffer[]): Buffer => {
    if (endedByCr === 'no' || chunk.length === 0) return chunk
    const isLf = chunk[0] === 0x0a
    if (isLf && endedByCr === 'kept') out.push(chunk.subarray(0, 1))
    endedByCr = 'no'
    return isLf ? chunk.subarray(1) : chunk
  }

  const look = (bytes: Buffer, out: Buffer[]): void => {
    const text = bytes.toString('latin1')
    const end = lastEnd(text)
    if (end > 0) {
      const last = keep(bytes.subarray(0, end), text.slice(0, end), out)
      if (text[end - 1] === '\r' && end === text.length) endedByCr = last
    }
    held = bytes.subarray(end)
    if (held.length <= heldBytesMax) return
    out.push(held)
    tail = text.slice(end).slice(-lookBack)
    held = Buffer.alloc(0)
  }

  return {
    push(chunk) {
      const out: Buffer[] = []
      const rest = pass(takeLf(chunk, out), out)
      if (rest.length > 0) look(held.length === 0 ? rest : Buffer.concat([held, rest]), out)
      return join(out)
    },
    end() {
      const left = held
      held = Buffer.alloc(0)
      return left.length === 0 || isUsage(left) ? null : left
    },
  }
}

function join(out: readonly Buffer[]): Buffer | null {
  const some = out.filter(({ length }) => length > 0)
  return some.length === 0 ? null : some.length === 1 ? some[0]! : Buffer.concat(some)
}

const ending = /\r\n\r\n|\n\r\n|\n\n|\r\r\n?|\r\n\n/g

/** Behind the first end of an event; below 0 without one. */
function firstEnd(text: string): number {
  ending.lastIndex = 0
  return ending.test(text) ? ending.lastIndex : -1
}

const endings = ['\n\r\n', '\r\r'] as const

/** Behind the last end of an event, or 0. */
function lastEnd(text: string): number {
  let end = text.lastIndexOf('\n\n') + 2
  if (end === 1) end = 0
  if (!text.includes('\r', end)) return end // As most streams: looking backwards for what isn't there is slow.
  for (const mark of endings) {
    const at = text.lastIndexOf(mark)
    if (at >= 0) end = Math.max(end, at + mark.length)
  }
  return text[end - 1] === '\r' && text[end] === '\n' ? end + 1 : end
}

/** A usage of tokens names them; escaped, as part of a text, it would read otherwise. Looking for this is the cheap part. */
const counted = '_tokens"'
const emptyChoices = /"choices"\s*:\s*\[\s*\]/

/** Whole events: what stays of them goes out. Answers what became of the last one. */
function keep(bytes: Buffer, text: string, out: Buffer[]): 'kept' | 'taken' {
  if (!text.includes(counted) || !emptyChoices.test(text)) {
    out.push(bytes)
    return 'kept'
  }
  let [from, keptFrom] = [0, 0]
  let last: 'kept' | 'taken' = 'kept'
  while (from < text.length) {
    const size = firstEnd(text.slice(from))
    const to = size < 0 ? text.length : from + size
    last = isUsage(bytes.subarray(from, to)) ? 'taken' : 'kept'
    if (last === 'taken') {
      out.push(bytes.subarray(keptFrom, from))
      keptFrom = to
    }
    from = to
  }
  out.push(bytes.subarray(keptFrom))
  return last
}

function isUsage(event: Buffer): boolean {
  if (event.length > heldBytesMax) return false // So it is the same however the bytes are cut.
  const data = event
    .toString()
    .replace(/^\ufeff/, '')
    .split(/\r\n|\r|\n/)
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice(line[5] === ' ' ? 6 : 5))
    .join('\n')
  if (!data.includes(counted) || !emptyChoices.test(data)) return false
  try {
    const { choices, usage } = JSON.parse(data) as { choices?: unknown; usage?: unknown }
    const isAlone = Array.isArray(choices) && choices.length === 0
    return isAlone && typeof usage === 'object' && usage !== null
  } catch {
    return false // No JSON, so no chunk of usage: it passes.
  }
}
