import { basename } from 'node:path'
import { longFiles, longFunctions } from './allowed.ts'
import { codeOf, lineAt, type Offence, type Rule, type SourceFile } from './tree.ts'

const fileLinesMax = 400 // Aim under 200; over 400 a file holds more than one idea.
const functionLinesMax = 70 // About 10 is usual, 40 is long.

export const fileSizeRule: Rule = (tree) =>
  codeOf(tree).flatMap(({ path, text }) => {
    const lines = text.trimEnd().split('\n').length
    if (lines <= fileLinesMax || path in longFiles) return []
    const what = `${lines} lines, ${fileLinesMax} at most`
    return [{ path, line: fileLinesMax, what, instead: 'split it by idea, a file each' }]
  })

export const createFunctionSizeRule =
  (ratchet: Readonly<Record<string, number>>): Rule =>
  (tree) =>
    codeOf(tree).flatMap((source) => findFunctions(source).flatMap(toOffences(source, ratchet)))

export const functionSizeRule = createFunctionSizeRule(longFunctions)

const toOffences =
  ({ path }: SourceFile, ratchet: Readonly<Record<string, number>>) =>
  ({ name, line, lines }: FunctionPlace): Offence[] => {
    const listed = ratchet[`${path} ${name}`]
    if (basename(path) === 'role.ts' && name.startsWith('start')) return [] // Only wiring.
    if (lines > (listed ?? functionLinesMax)) {
      const what = `${name} has ${lines} lines, ${listed ?? functionLinesMax} at most`
      return [{ path, line, what, instead: 'name its steps as functions of their own' }]
    }
    if (listed === undefined || lines === listed) return []
    const instead = lines > functionLinesMax ? `write ${lines} in tidy/allowed.ts` : 'unlist it'
    return [{ path, line, what: `${name} shrank from ${listed} to ${lines} lines`, instead }]
  }

type FunctionPlace = { name: string; line: number; lines: number }

/**
 * Functions with a body of braces, and how many lines are their own: those of named functions inside count for
 * these, as a class's methods do. Relies on the formatter: the body's brace is the last of its line.
 */
export function findFunctions({ masked: { code } }: SourceFile): FunctionPlace[] {
  const closeOf = matchBrackets(code)
  const openOf = new Map(Array.from(closeOf, ([open, close]) => [close, open]))
  const found = Array.from(code.matchAll(/\{[^\S\n]*$/gm)).flatMap(({ index: open }) => {
    const head = headOf(code, open, openOf)
    const close = closeOf.get(open)
    if (!head || close === undefined) return []
    const line = lineAt(code, head.start)
    const isNamed = named.test(code.slice(head.start, open))
    return [{ name: head.name, isNamed, line, lines: lineAt(code, close) - line + 1 }]
  })
  return found.map(({ isNamed: _, ...place }) => ({ ...place, lines: ownLines(place, found) }))
}

type Found = FunctionPlace & { isNamed: boolean }

const named =
  /^\s*(?:export )?(?:async )?(?:function\b|(?:const|let) [\w$]+ = (?:async )?(?:[(<]|[\w$]+ =>)|[\w$]+: (?:async )?\(|(?:get |set |\*|static )*[\w$[\].]+\([^{]*\)[^=]*$)/

function ownLines(outer: FunctionPlace, all: readonly Found[]): number {
  const isInside = (inner: FunctionPlace, within: FunctionPlace) =>
    inner.line > within.line && inner.line + inner.lines <= within.line + within.lines
  const inside = all.filter((each) => each.isNamed && isInside(each, outer))
  const next = inside.filter((each) => !inside.some((other) => isInside(each, other)))
  return outer.lines - next.reduce((sum, { lines }) => sum + lines, 0)
}

function matchBrackets(code: string): Map<number, number> {
  const pairs = new Map<number, number>()
  const open: number[] = []
  for (const { 0: bracket, index } of code.matchAll(/[(){}[\]]/g)) {
    if ('({['.includes(bracket)) open.push(index)
    else if (open.length > 0) pairs.set(open.pop()!, index)
  }
  return pairs
}

const statements = /^(if|for|await|while|switch|catch|with)$/ // `await` is that of `for await (`.

function headOf(code: string, open: number, openOf: ReadonlyMap<number, number>) {
  const before = code.slice(0, open).trimEnd()
  const lineStart = before.lastIndexOf('\n') + 1
  const isArrow = before.endsWith('=>')
  const paramsEnd = isArrow ? before.lastIndexOf(')') : endOfParams(before, lineStart)
  const paramsStart = openOf.get(paramsEnd)
  if (paramsStart === undefined || paramsEnd < lineStart) {
    return isArrow ? { start: lineStart, name: nameIn(before.slice(lineStart)) } : undefined
  }
  const start = code.lastIndexOf('\n', paramsStart) + 1
  const words = code.slice(start, paramsStart)
  const word = /([\w$]+)\s*(<[^()]*>)?\s*$/.exec(words)?.[1]
  if (isArrow) return isSuite(words) ? undefined : { start, name: nameIn(words) }
  return word === undefined || statements.test(word) ? undefined : { start, name: word }
}

const isSuite = (words: string) => /\b(?:describe|suite)\(/.test(words)

/** The `)` of the parameters: last on the line, or before the type that is returned. */
function endOfParams(before: string, lineStart: number): number {
  if (before.endsWith(')')) return before.length - 1
  const colon = before.slice(lineStart).lastIndexOf('):')
  return colon < 0 ? -1 : lineStart + colon
}

const nameIn = (words: string) =>
  /(?:const|let|function)\s+([\w$]+)/.exec(words)?.[1] ??
  /([\w$]+)\s*[:(=]/.exec(words)?.[1] ??
  'a function'
