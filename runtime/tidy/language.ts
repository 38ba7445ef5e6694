// What TypeScript or JavaScript offers and this house does without.
import { basename } from 'node:path'
import { isEntryPoint, isShipped, sqlElsewhere } from './allowed.ts'
import { codeOf, isTest, offencesAt, type Rule, roomOf } from './tree.ts'

type Ban = { pattern: RegExp; what: string; instead: string }

const erasable: Ban[] = [
  {
    pattern: /^\s*(?:export )?(?:declare )?(?:const )?enum [A-Za-z]\w*/gm,
    what: 'Node strips types and has no enum',
    instead: 'write a union of strings, or an object `as const`',
  },
  {
    pattern: /^\s*(?:export )?(?:declare )?(?:namespace|module) [A-Za-z][\w.]*\s*\{/gm,
    what: 'Node strips types and has no namespace',
    instead: 'write a module of its own',
  },
  {
    pattern: /\bconstructor\s*\([^)]*\b(?:public|private|protected|readonly)\s+\w/g,
    what: 'Node strips types and has no parameter property',
    instead: 'declare the field, and set it in the body',
  },
]

export const erasableRule: Rule = (tree) =>
  codeOf(tree).flatMap((source) => findBans(source, erasable))

const environment: Ban[] = [
  {
    pattern: /\bprocess\s*\.\s*env\b|\bimport\s*\{[^}]*\benv\b[^}]*\}\s*from\s*'\s*'/g,
    what: 'the environment is read outside an entry point',
    instead: 'take the value as a parameter; main.ts reads the environment',
  },
]

/** `process.env` only where a program begins, so that its inputs stand in one place. */
export const environmentRule: Rule = (tree) =>
  codeOf(tree)
    .filter(({ path }) => !isEntryPoint(path) && isShipped(path))
    .flatMap((source) => findBans(source, environment))

const impure: Ban[] = [
  {
    pattern: /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bperformance\.now\b|\brandomUUID\b/g,
    what: 'a decision depends on the clock or on chance',
    instead: 'take `now` or the number as a parameter',
  },
]

/** plan*, parse* and decide* answer the same for the same input; so does all of synth. */
export const purityRule: Rule = (tree) =>
  codeOf(tree)
    .filter((source) => !isTest(source))
    .filter(({ path }) => /^(plan|parse|decide)/.test(basename(path)) || path.startsWith('synth/'))
    .flatMap((source) => findBans(source, impure))

const sqlText =
  /\bselect\b[\s\S]{1,300}?\bfrom\s+[a-z_]+\.[a-z_]+|\binsert into [a-z_]+\.|\bupdate [a-z_]+\.[a-z_]+\s+set\b|\bdelete from [a-z_]+\.|\b(?:create|alter|drop) (?:table|schema|role|database|index)\b/gi

/** Statements stand by name in a role's `sql/`, and its tables in `migrations/`. */
export const sqlRule: Rule = (tree) =>
  codeOf(tree)
    .filter((source) => !isTest(source))
    .filter(({ path }) => !/\/(sql|migrations)\//.test(path))
    .filter(({ path }) => !sqlElsewhere.some((place) => path.startsWith(place)))
    .flatMap((source) =>
      offencesAt(source, source.masked.quoted, sqlText, ([found]) => ({
        what: `SQL text: ${found.replace(/\s+/g, ' ').slice(0, 40)}`,
        instead: `name the statement in ${roomOf(source.path)}/sql/`,
      })),
    )

const consoleCalls: Ban[] = [
  {
    pattern: /\bconsole\s*\.\s*(?:log|error|warn|info|debug|trace)\b/g,
    what: 'a line outside the log',
    instead: 'log it, or write to the stream that the function is given',
  },
]

/** What a program says goes through its log or the stream it was given, so that tests and `--json` see it. */
export const consoleRule: Rule = (tree) =>
  codeOf(tree)
    .filter(({ path }) => !isEntryPoint(path) && isShipped(path))
    .flatMap((source) => findBans(source, consoleCalls))

const findBans = (source: Parameters<typeof offencesAt>[0], bans: readonly Ban[]) =>
  bans.flatMap(({ pattern, what, instead }) =>
    offencesAt(source, source.masked.code, pattern, () => ({ what, instead })),
  )
