import { readText, resolveInside } from './folder.ts'
import { type Tool, ToolError } from './tool.ts'

const linesDefault = 1_000
const resultCharsMax = 32 * 1024 // About 8,000 tokens: one read can't crowd out the conversation.

export const readFile: Tool = {
  definition: {
    name: 'read_file',
    description: `Reads a text file. Answers its lines as they are, ${linesDefault} unless told \
otherwise; a last line in brackets says what was left out.`,
    input_schema: {
      type: 'object',
      properties: {
        path: { type: 'string', description: 'The file, relative to the work folder.' },
        from_line: { type: 'integer', minimum: 1, description: 'The first line, from 1.' },
        lines: { type: 'integer', minimum: 1, description: 'How many lines.' },
      },
      required: ['path'],
    },
  },
  show: ({ path }) => String(path),
  async run({ path, from_line = 1, lines = linesDefault }, { root }) {
    const all = (await readText(await resolveInside(root, String(path)))).split('\n')
    const first = Number(from_line)
    if (first > all.length) throw new ToolError(`It has ${all.length} lines.`)
    const wanted = all.slice(first - 1, first - 1 + Number(lines))
    const shown = fit(wanted)
    const last = first - 1 + shown.length
    const cut = shown.length === 1 ? shown[0]!.slice(0, resultCharsMax) : shown.join('\n')
    const rest = last < all.length ? `\n[lines ${first}-${last} of ${all.length}]` : ''
    return { text: cut + rest, note: `${shown.length} lines` }
  },
}

/** As many whole lines as fit; at least one, which the caller cuts. */
function fit(lines: string[]): string[] {
  let chars = 0
  const over = lines.findIndex((line) => {
    chars += line.length + 1
    return chars > resultCharsMax
  })
  return over < 0 ? lines : lines.slice(0, Math.max(1, over))
}
