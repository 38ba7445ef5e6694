import { defaultExports } from './allowed.ts'
import { codeOf, offencesAt, type Rule } from './tree.ts'

const banned = ['utils', 'util', 'helpers', 'helper', 'common', 'misc', 'manager', 'base', 'types']

/** Names that say nothing of what is inside. */
export const bannedNameRule: Rule = (tree) =>
  codeOf(tree).flatMap(({ path }) => {
    const words = path.replace(/(\.test|\.prop|\.svelte)*\.[jt]s$/, '').split(/[/.-]/)
    const found = words.find((word) => banned.includes(word))
    if (!found) return []
    const instead = 'name the domain: a noun, or verb-noun'
    return [{ path, line: 1, what: `the name ${found} says nothing`, instead }]
  })

/** `loop-file.ts`, not `LoopFile.ts` or `loop_file.ts`. */
export const kebabCaseRule: Rule = (tree) =>
  codeOf(tree)
    .filter(
      ({ path }) => !path.split('/').every((part) => /^\.?[a-z0-9]+([.-][a-z0-9]+)*$/.test(part)),
    )
    .map(({ path }) => {
      const instead = path
        .replace(/(?<=[a-z0-9])[A-Z]/g, '-$&')
        .replaceAll('_', '-')
        .toLowerCase()
      return { path, line: 1, what: 'the name is not in kebab-case', instead }
    })

export const defaultExportRule: Rule = (tree) =>
  codeOf(tree)
    .filter(({ path }) => !defaultExports.some((pattern) => pattern.test(path)))
    .flatMap((source) =>
      offencesAt(source, source.masked.code, /^export default\b|\bas default\b/gm, () => ({
        what: 'a default export has another name in each file',
        instead: 'export it by its name',
      })),
    )
