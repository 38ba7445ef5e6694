// Text that an agent or a program chose, on its way into the database and onto people's screens.

/** Its end, without what PostgreSQL can't hold: NUL, and halves of surrogate pairs. */
export const toStorable = (text: string, charsMax: number): string =>
  text.slice(-charsMax).replaceAll('\0', '\uFFFD').toWellFormed()

// Colours and cursor moves: ECMA-48 CSI and OSC sequences.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
const escapes = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?)/g

/** What stays the same when the same error comes again: no colours, times, counts, addresses or temporary names. */
export const toErrorText = (output: string): string =>
  output
    .replace(escapes, '')
    .replace(/\b[0-9a-f]{7,64}\b/gi, '#')
    .replace(/\/tmp\/[^\s:'")]+/g, '/tmp/#')
    .replace(/\d+(?:[.:,]\d+)*/g, '#')
    .replace(/\s+/g, ' ')
    .trim()
