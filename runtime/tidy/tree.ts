// The repository as the rules see it: every file of ours, its text masked on first use, its imports found once.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { extname, join, posix } from 'node:path'
import { type Masked, mask } from './mask.ts'

export type Import = {
  /** As written: `./a.ts`, `#kernel/http.ts`, `node:fs`, `express`. */
  specifier: string
  /** The file of ours that it names, where it names one. */
  target: string | undefined
  kind: 'value' | 'type' | 'dynamic'
  line: number
}
export type SourceFile = {
  path: string
  bytes: number
  text: string
  masked: Masked
  imports: Import[]
}
export type Tree = ReadonlyMap<string, SourceFile>
/** `instead` says what to write; a rule without that is only a complaint. */
export type Offence = { path: string; line: number; what: string; instead: string }
export type Rule = (tree: Tree) => Offence[]

const notOurs = new Set(['.git', 'node_modules', 'dist', 'result']) // `result` is the link that `nix build` leaves.
const textBytesMax = 500_000 // What is larger is told by its size, and not read.

export function readTree(root: string): Tree {
  const paths = readdirSync(root, { withFileTypes: true, recursive: false })
    .filter((entry) => !notOurs.has(entry.name) && !entry.isSymbolicLink())
    .flatMap((entry) => (entry.isDirectory() ? filesBelow(root, entry.name) : [entry.name]))
  return new Map(paths.map((path) => [path, readSource(root, path)]))
}

function filesBelow(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name)
    if (notOurs.has(entry.name)) return []
    if (entry.isDirectory()) return filesBelow(root, path)
    return entry.isFile() ? [path] : []
  })
}

function readSource(root: string, path: string): SourceFile {
  const bytes = statSync(join(root, path)).size
  const content = bytes > textBytesMax ? '' : readFileSync(join(root, path), 'utf8')
  return createSource(path, content.includes('\0') ? '' : content, bytes)
}

export function createTree(texts: Readonly<Record<string, string>>): Tree {
  return new Map(
    Object.entries(texts).map(([path, text]) => [path, createSource(path, text, text.length)]),
  )
}

function createSource(path: string, text: string, bytes: number): SourceFile {
  let masked: Masked | undefined
  let imports: Import[] | undefined
  return {
    path,
    bytes,
    text,
    get masked() {
      masked ??= mask(toScript(path, text))
      return masked
    },
    get imports() {
      imports ??= findImports(this)
      return imports
    },
  }
}

export const isCode = ({ path }: SourceFile) => ['.ts', '.js', '.svelte'].includes(extname(path))
export const isTest = ({ path }: { path: string }) => path.endsWith('.test.ts')
export const codeOf = (tree: Tree) => [...tree.values()].filter(isCode)

/** `runtime/spool/sql/a.ts` is in the room `runtime/spool`; `runtime/main.ts` is in none. */
export const roomOf = (path: string) => /^(runtime\/[^/]+|(?!runtime\/)[^/]+)\//.exec(path)?.[1]

export const lineAt = (text: string, offset: number) => text.slice(0, offset).split('\n').length

/** An offence at every match of a pattern. */
export function offencesAt(
  source: SourceFile,
  searched: string,
  pattern: RegExp,
  say: (match: RegExpExecArray) => Pick<Offence, 'what' | 'instead'>,
): Offence[] {
  return Array.from(searched.matchAll(pattern), (match) => {
    return { path: source.path, line: lineAt(searched, match.index), ...say(match) }
  })
}

/**
 * What of a file is code: of a Svelte part its scripts, and what its markup loads when it is shown. All lines stay where
 * they are; those of a script lose the indentation that they have for being in one.
 */
function toScript(path: string, text: string): string {
  if (extname(path) !== '.svelte') return text
  let isInside = false
  const lines = text.split('\n').map((line) => {
    if (/^<\/?script\b/.test(line)) {
      isInside = !line.startsWith('</')
      return ''
    }
    if (isInside) return line.replace(/^ {2}/, '')
    return (line.match(/\bimport\('[^']+'\)/g) ?? []).join(';')
  })
  return lines.join('\n')
}

const staticImport =
  /^(?:import\s*|(?:import|export)\s+(?:(type)\s+)?[\w*{}\s,$]+?\s*from\s*)(['"]) *\2/gm
const dynamicImport = /\bimport\(\s*(['"]) *\1\s*\)/g

function findImports({ path, text: whole, masked }: SourceFile): Import[] {
  const text = toScript(path, whole)
  const toImport = (match: RegExpExecArray, kind: Import['kind']): Import => {
    const last = text.slice(match.index, match.index + match[0].length)
    const specifier = /(['"])([^'"]*)\1[^'"]*$/.exec(last)![2]!
    return { specifier, target: toTarget(path, specifier), kind, line: lineAt(text, match.index) }
  }
  return [
    ...Array.from(masked.code.matchAll(staticImport), (match) =>
      toImport(match, match[1] ? 'type' : 'value'),
    ),
    ...Array.from(masked.code.matchAll(dynamicImport), (match) => toImport(match, 'dynamic')),
  ]
}

function toTarget(from: string, specifier: string): string | undefined {
  if (specifier.startsWith('#kernel/')) return specifier.replace('#kernel/', 'runtime/kernel/')
  return specifier.startsWith('.') ? posix.join(posix.dirname(from), specifier) : undefined
}
