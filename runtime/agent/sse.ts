// Server-sent events, as far as the Messages wire uses them.
// https://html.spec.whatwg.org/#event-stream-interpretation

/** Reads `data:` payloads however the bytes are split. A line over `lineCharsMax` throws. */
export function createSseReader(lineCharsMax: number): { push(bytes: Uint8Array): string[] } {
  const decoder = new TextDecoder()
  let rest = ''
  let data: string[] = []

  const takeLine = (line: string): string[] => {
    if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5))
    if (line !== '' || data.length === 0) return []
    const event = data.join('\n')
    data = []
    return [event]
  }

  return {
    push(bytes) {
      rest += decoder.decode(bytes, { stream: true })
      // A CR at the very end may be the first half of a CRLF: it waits for what follows.
      const lines = rest.split(/\r\n|\n|\r(?!$)/)
      rest = lines.pop() ?? ''
      if (rest.length > lineCharsMax) throw new Error('A line of the stream is too long.')
      return lines.flatMap(takeLine)
    },
  }
}
