// What must never reach the main branch, in any file.
import { type Offence, offencesAt, type Rule, type SourceFile, type Tree } from './tree.ts'

const leftovers = /\b(?:TO{1}DO|FIX{1}ME|X{3})\b/g // Spelt so that this line is none itself.

export const leftoverRule: Rule = (tree) =>
  [...tree.values()].flatMap((source) =>
    offencesAt(source, source.text, leftovers, ([found]) => ({
      what: `${found} is a note to oneself`,
      instead: 'do it now, or open an issue and delete the note',
    })),
  )

const fileBytesMax = 500_000 // Beyond it a clone gets slow, and a review shows nothing.

export const fileBytesRule: Rule = (tree) =>
  [...tree.values()]
    .filter(({ bytes }) => bytes > fileBytesMax)
    .map(({ path, bytes }) => {
      const what = `${bytes} bytes, ${fileBytesMax} at most`
      return {
        path,
        line: 1,
        what,
        instead: 'make it when it is needed, or take it from a package',
      }
    })

const typed =
  /^\s*(?:\$ )?(?:npx --no-install )?(?:npm run ([\w:.-]+)|npm (start|test)\b|treadle ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?)/g

/** Every command that a README tells its reader to type exists. Looks in code spans and code blocks. */
export const readmeCommandRule: Rule = (tree) => {
  const scripts = scriptsOf(tree)
  return [...tree.values()]
    .filter(({ path }) => path.endsWith('.md'))
    .flatMap((source) =>
      typedCommands(source).filter(({ words: [script, start, noun, verb] }) => {
        if (noun === undefined) return !scripts.has(script ?? start ?? '')
        return !isSubCommand(tree, noun, verb)
      }),
    )
    .map(({ words: _, ...offence }) => offence)
}

type Typed = Offence & { words: (string | undefined)[] }

function typedCommands(source: SourceFile): Typed[] {
  return source.text.split('\n').flatMap((text, index, lines) => {
    const isFenced = lines.slice(0, index).filter((line) => line.startsWith('```')).length % 2 === 1
    const spans = isFenced ? [text] : Array.from(text.matchAll(/`([^`]+)`/g), ([, span]) => span!)
    return spans.flatMap((span) =>
      Array.from(span.matchAll(typed), ([found, ...words]) => {
        const what = `\`${found}\` is no command`
        const instead = 'correct it, or add what it promises'
        return { path: source.path, line: index + 1, what, instead, words }
      }),
    )
  })
}

/** `treadle loop run` is runtime/cli/commands/loop-run.ts, `treadle status` is status.ts beside it. */
function isSubCommand(tree: Tree, noun: string, verb: string | undefined): boolean {
  const folder = 'runtime/cli/commands'
  const isGroup = [...tree.keys()].some((path) => path.startsWith(`${folder}/${noun}-`))
  if (!isGroup || verb === undefined) return isGroup || tree.has(`${folder}/${noun}.ts`)
  return tree.has(`${folder}/${noun}-${verb}.ts`)
}

function scriptsOf(tree: Tree): ReadonlySet<string> {
  const { scripts = {} } = JSON.parse(tree.get('package.json')?.text ?? '{}') as {
    scripts?: Record<string, string>
  }
  return new Set(Object.keys(scripts))
}

// A host such as `registry.NAME.TLD`; an image registry of Kubernetes is an address that users need.
const host = /\b(?:registry|mirror|artifactory|nexus)\.(?!k8s\.io)[a-z][\w-]*\.[a-z]{2,}\b/g

/** @param places Where this clone lies, and its user's home: paths that no other machine has. */
export const createMachineRule =
  (places: readonly string[]): Rule =>
  (tree) => {
    const paths = toPattern(places)
    return [...tree.values()].flatMap((source) => [
      ...offencesAt(source, source.text, host, ([found]) => ({
        what: `${found} is the package registry of one machine`,
        instead: 'leave it out: package managers have their own settings',
      })),
      ...offencesAt(source, source.text, paths, ([found]) => ({
        what: `${found} exists on one machine alone`,
        instead: 'write a path relative to the repository, or take it as a parameter',
      })),
    ])
  }

/** `/root` and the like are on every machine: only a path of two names or more gives one away. */
function toPattern(places: readonly string[]): RegExp {
  const own = places
    .map((place) => place.replace(/\/$/, ''))
    .filter((place) => /\/.+\//.test(place))
  const escaped = own.map((place) => place.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return own.length === 0 ? /(?!)/g : new RegExp(`(?:${escaped.join('|')})(?![\\w-])`, 'g')
}

/** Where packages came from is a fact about the machine that made the lock file. */
export const lockRule: Rule = (tree) =>
  ['package-lock.json'].flatMap((path) => {
    const source = tree.get(path)
    if (!source) return []
    return offencesAt(source, source.text, /"resolved": "[a-z+]+:/g, () => ({
      what: 'a download address in the lock file',
      instead: 'run npm install with omit-lockfile-registry-resolved=true in .npmrc',
    }))
  })
