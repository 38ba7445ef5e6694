// Reads a loop file into what the API takes: the prompt from its file, the repository's path made absolute.
// What it means is judged by the server alone; this refuses only what can't be sent, and finds the lines to blame.
import { readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type Document, isMap, isNode, LineCounter, parseDocument } from 'yaml'
import type { Problem } from '#kernel/parse.ts'
import { failure } from './errors.ts'

export type LoopFile = {
  /** As `POST /api/loops` takes it. */
  body: Record<string, unknown>
  /** The same problem with the file's name and line in its path. */
  locate(problem: Problem): Problem
}

const fileBytesMax = 1_000_000 // The prompt is the largest part, and the server takes 200,000 characters.

export function readLoopFile(path: string): LoopFile {
  const lines = new LineCounter()
  const document = parseDocument(readLoopText(path), { lineCounter: lines, prettyErrors: false })
  const locate = (problem: Problem) => locateIn(path, document, lines, problem)
  const problems = document.errors.map(({ message, pos }) => {
    const { line, col } = lines.linePos(pos[0])
    return { path: `${path}:${line}:${col}`, message }
  })
  if (problems.length > 0) throw invalid(path, problems)
  if (!isMap(document.contents)) {
    throw invalid(path, [{ path, message: 'Write keys and values, as `name: my-loop`.' }])
  }
  const content = toContent(path, document)
  const prompt = takePrompt(path, content)
  if (!prompt.ok) throw invalid(path, [locate(prompt.problem)])
  const { promptFile: _, ...rest } = content
  return { body: { ...rest, ...prompt.value, ...toRepository(path, content) }, locate }
}

function toContent(path: string, document: Document): Record<string, unknown> {
  try {
    return document.toJS({ maxAliasCount: 100 }) // More is a bomb, not a loop.
  } catch (error) {
    throw invalid(path, [{ path, message: (error as Error).message }])
  }
}

const invalid = (path: string, problems: Problem[]) =>
  failure('cli/loop-file', `${path} can't be read as a loop file.`, { problems })

function readLoopText(path: string): string {
  try {
    return readBounded(path)
  } catch (error) {
    throw failure('cli/file', `${path} can't be read: ${toReason(error)}.`)
  }
}

function readBounded(path: string): string {
  const { size } = statSync(path)
  if (size > fileBytesMax) throw new Error(`it is larger than ${fileBytesMax} bytes`)
  return readFileSync(path, 'utf8')
}

function toReason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EACCES') return 'it is not readable for you'
  return code === 'EISDIR' ? 'it is a folder' : message
}

type Taken = { ok: true; value: { prompt?: unknown } } | { ok: false; problem: Problem }

function takePrompt(path: string, { prompt, promptFile }: Record<string, unknown>): Taken {
  if (promptFile === undefined) {
    if (prompt !== undefined) return { ok: true, value: { prompt } }
    const message = 'Write prompt, or promptFile with the path of a text file.'
    return { ok: false, problem: { path: 'prompt', message } }
  }
  const wrong = (message: string): Taken => {
    return {
      ok: false,
      problem: { path: 'promptFile', value: JSON.stringify(promptFile), message },
    }
  }
  if (prompt !== undefined) return wrong('prompt is there as well. Keep one of them.')
  if (typeof promptFile !== 'string') return wrong('Write the path of a text file.')
  const at = resolve(dirname(path), promptFile)
  try {
    return { ok: true, value: { prompt: readBounded(at) } }
  } catch (error) {
    return wrong(`${at} can't be read: ${toReason(error)}. The path is relative to the loop file.`)
  }
}

// `https://…`, `ext::…` and `git@host:path` go to the server as they are: it takes or refuses them.
const isAddress = (text: string) => /^[\w.+-]+:(\/\/|:)|^[^/\s]+@[^/\s]+:/.test(text)

function toRepository(path: string, { repository }: Record<string, unknown>) {
  if (typeof repository !== 'string' || repository === '' || isAddress(repository)) return {}
  return { repository: resolve(dirname(path), repository) }
}

function locateIn(path: string, document: Document, lines: LineCounter, problem: Problem): Problem {
  const keys = problem.path === '(root)' ? [] : problem.path.split('.')
  if (keys[0] === 'prompt' && document.has('promptFile')) keys[0] = 'promptFile'
  for (let depth = keys.length; depth > 0; depth -= 1) {
    const node = document.getIn(keys.slice(0, depth), true)
    if (!isNode(node) || !node.range) continue
    const { line } = lines.linePos(node.range[0])
    return { ...problem, path: `${path}:${line} ${keys.join('.')}` }
  }
  return { ...problem, path: keys.length === 0 ? path : `${path} ${keys.join('.')}` }
}
