// Who may import whom, in what order, and what happens on import.
import { isBuiltin } from 'node:module'
import { basename, dirname } from 'node:path'
import { assemblingRooms, isEntryPoint, isShipped } from './allowed.ts'
import {
  codeOf,
  type Import,
  type Offence,
  offencesAt,
  type Rule,
  roomOf,
  type SourceFile,
  type Tree,
} from './tree.ts'

/** A role imports its own folder, `#kernel/*`, node and its packages; other rooms' `api.ts` as types. */
export const importRule: Rule = (tree) => {
  const everywhere = declaredPackages(tree, 'package.json')
  return codeOf(tree).flatMap((source) => {
    const own = declaredPackages(tree, `${roomOf(source.path)}/package.json`)
    return source.imports.flatMap((used) => {
      const packages = everywhere.union(own)
      const wrong = used.target ? wrongFile(source, used, tree) : wrongPackage(used, packages)
      return wrong ? [{ path: source.path, line: used.line, ...wrong }] : []
    })
  })
}

type Wrong = Pick<Offence, 'what' | 'instead'> | undefined

function wrongFile(source: SourceFile, { specifier, target, kind }: Import, tree: Tree): Wrong {
  const [from, to] = [roomOf(source.path), roomOf(target!)]
  if (!tree.has(target!)) {
    return { what: `${specifier} is no file`, instead: 'write the path with its ending, .ts' }
  }
  if (isShipped(source.path) && !isShipped(target!)) {
    const instead = 'move what is needed out of it'
    return { what: `${target} never ships, and this file does`, instead }
  }
  if (from === to) return undefined
  if (to === 'runtime/kernel') {
    const instead = `import from '#kernel/${basename(target!)}'`
    return specifier.startsWith('#') ? undefined : { what: `${specifier} goes around`, instead }
  }
  if (!isShipped(source.path)) return undefined
  if (from === undefined || assemblingRooms.includes(from)) return undefined
  if (basename(target!) !== 'api.ts') {
    const instead = `talk to it over HTTP, or import its wire types from ${to}/api.ts`
    return { what: `${from} imports the inside of ${to}`, instead }
  }
  if (kind === 'type') return undefined
  return { what: `${to}/api.ts is imported as a value`, instead: 'write import type' }
}

function wrongPackage({ specifier }: Import, packages: ReadonlySet<string>): Wrong {
  if (specifier.startsWith('node:')) return undefined
  if (isBuiltin(specifier)) {
    return { what: `'${specifier}' could be a package`, instead: `import 'node:${specifier}'` }
  }
  const name = /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier
  if (packages.has(name)) return undefined
  return {
    what: `${name} is not in package.json`,
    instead: 'declare it there, at an exact version',
  }
}

/** Of a room that is a workspace of its own, or of all; none where there is no such file. */
function declaredPackages(tree: Tree, path: string): ReadonlySet<string> {
  const { dependencies, devDependencies, optionalDependencies } = JSON.parse(
    tree.get(path)?.text ?? '{}',
  ) as Record<string, Record<string, string>>
  const all = { ...dependencies, ...devDependencies, ...optionalDependencies }
  return new Set(Object.keys(all))
}

/** Modules that need each other's values start in an order that nobody wrote down. */
export const cycleRule: Rule = (tree) => {
  const offences: Offence[] = []
  const done = new Set<string>()
  const visit = (path: string, trail: string[]) => {
    const source = tree.get(path)
    if (!source || done.has(path)) return
    for (const { target, kind, line } of source.imports) {
      if (kind !== 'value' || !target || target === path) continue // A part that shows itself again.
      const from = [...trail, path].indexOf(target)
      if (from < 0) visit(target, [...trail, path])
      else offences.push(cycleAt(path, line, [...[...trail, path].slice(from), target]))
    }
    done.add(path)
  }
  for (const { path } of codeOf(tree)) visit(path, [])
  return offences
}

const cycleAt = (path: string, line: number, cycle: string[]): Offence => ({
  path,
  line,
  what: `a cycle of values: ${cycle.join(' -> ')}`,
  instead: 'move what both need into a third file, or pass it as a parameter',
})

/** A shipped file that no shipped file imports or names; of the others, one that no file at all does. */
export const deadFileRule: Rule = (tree) => {
  const all = [...tree.values()]
  const shipped = all.filter(({ path }) => isShipped(path))
  return codeOf(tree)
    .filter(({ path }) => !isEntryPoint(path))
    .filter(({ path }) => {
      const users = isShipped(path) ? shipped : all
      return !users.some((user) => user.path !== path && uses(user, path))
    })
    .map(({ path }) => {
      return { path, line: 1, what: 'nothing imports this file', instead: 'delete it, or use it' }
    })
}

function uses(user: SourceFile, path: string): boolean {
  if (!/\.(ts|js|svelte)$/.test(user.path)) return user.text.includes(path)
  if (user.imports.some(({ target }) => target === path)) return true
  // Started by its path: a worker, a child process, a daemon copied into a sandbox.
  const near = `${basename(dirname(path))}/${basename(path)}`
  const names = dirname(user.path) === dirname(path) ? `./${basename(path)}` : near
  return user.masked.quoted.includes(names)
}

// Prettily printed code has a statement's first word at the start of its line, and only a top-level one there.
const effect =
  /^(?!if \(import\.meta\.main\)|import\b|export\b|const\b|let\b|function\b|async function\b|class\b|type\b|interface\b|abstract class\b|declare\b)[\w$({[][^\n]*|^(?:export )?(?:const|let)\b[^\n]*=\s*await\b[^\n]*/gm

/** Importing a module must do nothing: only programs act. */
export const effectRule: Rule = (tree) =>
  codeOf(tree)
    // A part of Svelte is a function: its script runs when it is shown.
    .filter(({ path }) => !isEntryPoint(path) && !path.endsWith('.svelte'))
    .flatMap((source) =>
      offencesAt(source, source.masked.code, effect, ([found]) => ({
        what: `importing this runs \`${found.trim()}\``,
        instead: 'put it into a function that main.ts calls',
      })),
    )
