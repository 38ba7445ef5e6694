// Text of agents and repositories, as it may be shown. What turns the reading order or hides itself is named instead of
// obeyed: a file may not read as another one. https://trojansource.codes

// Controls but tab and line break; marks of direction; what has no width; tags.
const unseen =
  /[\p{Cc}\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu

/** Every unseen character as `‹U+202E›`; tabs and line breaks stay. */
export const toVisible = (text: string): string =>
  text.replace(unseen, (found) =>
    found === '\n' || found === '\t' ? found : `‹U+${toHex(found.codePointAt(0)!)}›`,
  )

const toHex = (point: number) => point.toString(16).toUpperCase().padStart(4, '0')

/** One line of it, at most that long. */
export function toLine(text: string, charsMax: number): string {
  const line = toVisible(text.slice(0, charsMax * 2).replace(/\s+/g, ' ')).trim()
  return line.length > charsMax ? `${line.slice(0, charsMax - 1)}…` : line
}
