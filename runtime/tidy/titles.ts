// Tests say what the program does: a sentence each, and none left out.
import { isTest, lineAt, type Offence, offencesAt, type Rule, type SourceFile } from './tree.ts'

const opening = /(?<![\w.$])(?:test|it|t\.test)\(\s*(['"`])/g

const testsOf = (tree: Parameters<Rule>[0]) => [...tree.values()].filter(isTest)

const wordsMin = 3 // Subject, verb, and what the verb is about.

export const titleRule: Rule = (tree) =>
  testsOf(tree).flatMap((source) => {
    const seen = new Map<string, number>()
    return findTitles(source).flatMap(({ title, line }): Offence[] => {
      const before = seen.get(title)
      seen.set(title, line)
      const { path } = source
      const hasHole = title.includes('${')
      if (before !== undefined && !hasHole) {
        const instead = 'say in each what differs'
        return [{ path, line, what: `the title of line ${before} again`, instead }]
      }
      if (hasHole || (title.split(/\s+/).length >= wordsMin && !title.endsWith('.'))) return []
      const instead = 'write a sentence of behaviour, without a full stop'
      return [{ path, line, what: `'${title}' is no sentence`, instead }]
    })
  })

function findTitles({ text, masked: { code } }: SourceFile) {
  return Array.from(code.matchAll(opening), (match) => {
    const start = match.index + match[0].length
    const title = text.slice(start, text.indexOf(match[1]!, start))
    return { title, line: lineAt(code, match.index) }
  })
}

const call = String.raw`\b(?:test|it|describe|suite|t|context)`
const leftOut = new RegExp(
  String.raw`${call}\.(?:only|skip|todo)\b|(?<=${call}\([^\n]*\{[^\n}]*)\b(?:only|skip|todo)\b\s*[:,}]`,
  'g',
)

export const leftOutRule: Rule = (tree) =>
  testsOf(tree).flatMap((source) =>
    offencesAt(source, source.masked.code, leftOut, ([found]) => ({
      what: `\`${found}\` leaves tests out`,
      instead: 'run it always, and install in .ci/run what it needs; or delete it',
    })),
  )
