import { mkdir, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { readText, resolveInside } from './folder.ts'
import { type Tool, ToolError } from './tool.ts'

export const editFile: Tool = {
  definition: {
    name: 'edit_file',
    description:
      'Replaces old_text by new_text in a file. old_text must stand there exactly once, with every ' +
      'space and line break. With an empty old_text it makes a new file.',
    input_schema: {
      type: 'object',
      properties: {
        path: { type: 'string', description: 'The file, relative to the work folder.' },
        old_text: { type: 'string', description: 'What stands there; empty for a new file.' },
        new_text: { type: 'string', description: 'What shall stand there.' },
      },
      required: ['path', 'old_text', 'new_text'],
    },
  },
  show: ({ path }) => String(path),
  async run({ path, old_text, new_text }, { root }) {
    const real = await resolveInside(root, String(path))
    return old_text === ''
      ? create(real, String(new_text))
      : replace(real, String(old_text), String(new_text))
  },
}

async function create(path: string, text: string) {
  const isThere = await stat(path).then(
    () => true,
    () => false, // Whatever keeps it from being seen, the write below says it.
  )
  if (isThere) throw new ToolError('It exists already: give the old_text that shall be replaced.')
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text, { flag: 'wx' })
  return { text: 'The file is made.', note: `made, ${text.split('\n').length} lines` }
}

async function replace(path: string, before: string, after: string) {
  const text = await readText(path)
  const at = text.indexOf(before)
  if (at < 0) throw new ToolError('old_text does not stand in the file. Read the file again.')
  if (text.indexOf(before, at + 1) >= 0) {
    throw new ToolError('old_text stands in the file more than once. Give more lines around it.')
  }
  await writeFile(path, text.slice(0, at) + after + text.slice(at + before.length))
  return { text: 'The file is changed.', note: 'changed' }
}
