// Server-sent events (WHATWG HTML, 9.2.6), as far as ours use them: `event` and `data`; comments and all else are skipped.
import { failure } from '../errors.ts'

const eventCharsMax = 16 * 1024 * 1024 // A pass with 50 gates of 64 KiB of output each, escaped, and some.

export type Sent = { name: string; data: string }

export async function* readSent(parts: AsyncIterable<string>): AsyncGenerator<Sent> {
  let rest = ''
  for await (const part of parts) {
    const blocks = (rest + part.replaceAll('\r', '')).split('\n\n')
    rest = blocks.pop()!
    if (rest.length > eventCharsMax) throw failure('cli/answer', 'An event is too long to be one.')
    for (const block of blocks) {
      const sent = toSent(block)
      if (sent) yield sent
    }
  }
}

function toSent(block: string): Sent | undefined {
  const fields = block.split('\n').map((line) => /^(event|data): ?(.*)$/.exec(line))
  const valuesOf = (name: string) =>
    fields.flatMap((field) => (field?.[1] === name ? [field[2]!] : []))
  const data = valuesOf('data')
  return data.length === 0
    ? undefined
    : { name: valuesOf('event').at(-1) ?? 'message', data: data.join('\n') }
}
