// The daemon's files linked into one, without types: Node takes as long to find and open a dozen of modules as it
// takes for half of its own start. Everything else of a bundler is left out: this reads the house's own style of
// imports and exports, and says so where it meets another. A whole bundler (rolldown) was tried: in one file it loads
// Node's and packages' modules at the top, before `ready`, and in several there are again files to find.
import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { dirname, join } from 'node:path'

export type Sources = {
  /** The daemon's entry, as an absolute path. */
  entry: string
  /** What `#kernel/` stands for. */
  kernel: string
  /** From where its packages are found, as the daemon will see it. */
  packagesFrom: string
}

/** A CommonJS script: modules run when they are first wanted, as files would. */
export function linkDaemon({ entry, kernel, packagesFrom }: Sources): string {
  const names = new Map<string, number>()
  const bodies: string[] = []
  const link = (path: string): number => {
    const known = names.get(path)
    if (known !== undefined) return known
    const name = names.size
    names.set(path, name)
    const toPath = (from: string) =>
      from.startsWith('#kernel/')
        ? join(kernel, from.slice('#kernel/'.length))
        : join(dirname(path), from)
    const isOurs = (from: string) => from.startsWith('.') || from.startsWith('#')
    const want = (from: string) =>
      isOurs(from) ? `own(${link(toPath(from))})` : `other('${from}')`
    bodies[name] = toFunction(stripTypeScriptTypes(readFileSync(path, 'utf8')), want, path)
    return name
  }
  link(entry)
  return `${prologue(packagesFrom)}const modules = [\n${bodies.join(',\n')}\n]\nown(0)\n`
}

// A module that is wanted by `import` of a package or of Node's own is found as files would find it.
const prologue = (packagesFrom: string) => `'use strict'
const made = new Map()
function own(name) {
  const known = made.get(name)
  if (known) return known
  const exported = modules[name]()
  made.set(name, exported)
  return exported
}
let find
function other(name) {
  if (name.startsWith('node:')) return process.getBuiltinModule(name)
  find ??= process.getBuiltinModule('node:module').createRequire(${JSON.stringify(packagesFrom)})
  return find(name)
}
`

const importPattern = /^import\s+(?:(\{[^}]*\})\s+from\s+)?'([^']+)';?$/gm
const latePattern = /\bimport\('([^']+)'\)/g
const exportPattern = /^export (?=(?:async )?(?:function\*?|class|const|let) (\w+|\{[^}]*\}))/gm
const otherPattern = /^(?:import|export)\b.*$/m

function toFunction(code: string, want: (from: string) => string, path: string): string {
  const exported: string[] = []
  const body = code
    .replace(importPattern, (_, names: string | undefined, from: string) => {
      const given = want(from)
      return names ? `const ${names.replaceAll(/\bas\b/g, ':')} = ${given}` : given
    })
    .replace(latePattern, (_, from: string) => `Promise.resolve().then(() => ${want(from)})`)
    .replace(exportPattern, (_, names: string) => {
      exported.push(
        ...names
          .replaceAll(/[{}\s]/g, '')
          .split(',')
          .filter(Boolean),
      )
      return ''
    })
  const left = otherPattern.exec(body)?.[0]
  if (left) throw new Error(`${path}: this can't be linked: ${left}`)
  return `() => {\n${body}\nreturn { ${exported.join(', ')} }\n}`
}
