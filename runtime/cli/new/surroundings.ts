// What a folder says of the loop that one may want there: its repository, what its gates could be, its plan.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'

export type Gate = { name: string; command: string }
export type Found = {
  /** A name that the schema takes. */
  name: string
  /** The repository's folder; null where there is none. */
  repository: string | null
  branch: string | null
  gates: readonly Gate[]
  /** A plan that the repository has in its newest commit. */
  plan: string | null
  /** PLAN.md lies there, and is in no commit: a loop would not see it. */
  hasLoosePlan: boolean
  hasPromptFile: boolean
}

export function lookAround(folder: string): Found {
  const repository = tryGit(folder, 'rev-parse', '--show-toplevel')
  const top = repository ?? folder
  const isCommitted =
    repository !== null && tryGit(top, 'cat-file', '-t', 'HEAD:PLAN.md') === 'blob'
  return {
    name: toName(basename(top)),
    repository,
    branch: repository && tryGit(top, 'symbolic-ref', '--short', '--quiet', 'HEAD'),
    gates: findGates(top),
    plan: isCommitted ? 'PLAN.md' : null,
    hasLoosePlan: !isCommitted && existsSync(join(top, 'PLAN.md')),
    hasPromptFile: existsSync(join(folder, 'PROMPT.md')),
  }
}

const gitMsMax = 5_000 // Questions that git answers from a few small files.

function tryGit(cwd: string, ...args: string[]): string | null {
  try {
    const output = execFileSync('git', args, {
      cwd,
      encoding: 'utf8',
      timeout: gitMsMax,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return output.trim() || null
  } catch {
    return null // No git, no repository, or nothing in it yet: then there is no default.
  }
}

const nameCharsMax = 40 // The schema takes 63; this is to be typed and read.

export function toName(text: string): string {
  const name = text.toLowerCase().replace(/[^a-z0-9]+/g, '-')
  return name.slice(0, nameCharsMax).replace(/^-+|-+$/g, '') || 'loop'
}

/** What the project proves itself with. Only names and commands that are known here: a file in there is no author. */
export function findGates(folder: string): Gate[] {
  const has = (name: string) => existsSync(join(folder, name))
  const found = [
    ...npmGates(folder),
    ...(has('Cargo.toml') ? [{ name: 'tests', command: 'cargo test' }] : []),
    ...(has('go.mod') ? [{ name: 'tests', command: 'go test ./...' }] : []),
    ...(has('pyproject.toml') || has('setup.cfg')
      ? [{ name: 'tests', command: 'python3 -m pytest' }]
      : []),
  ]
  const gates = found.length > 0 ? found : makeGates(folder)
  return gates.map((gate, at) => {
    const twins = gates.slice(0, at).filter(({ name }) => name === gate.name).length
    return twins === 0 ? gate : { ...gate, name: `${gate.name}-${twins + 1}` }
  })
}

const scripts: readonly (readonly [script: string, gate: string])[] = [
  ['test', 'tests'],
  ['lint', 'lint'],
  ['typecheck', 'types'],
  ['check', 'check'],
]
const managers = [
  ['pnpm-lock.yaml', 'pnpm'],
  ['yarn.lock', 'yarn'],
  ['bun.lock', 'bun'],
] as const

function npmGates(folder: string): Gate[] {
  const written = scriptsOf(join(folder, 'package.json'))
  const manager = managers.find(([lock]) => existsSync(resolve(folder, lock)))?.[1] ?? 'npm'
  return scripts
    .filter(([script]) => script in written && !/no test specified/.test(String(written[script])))
    .map(([script, name]) => {
      const isShort = script === 'test' && manager === 'npm'
      return { name, command: isShort ? 'npm test' : `${manager} run ${script}` }
    })
}

function scriptsOf(path: string): Readonly<Record<string, unknown>> {
  try {
    const { scripts } = JSON.parse(readFileSync(path, 'utf8')) as { scripts?: object }
    return { ...scripts }
  } catch {
    return {} // None there, or none that npm would take.
  }
}

function makeGates(folder: string): Gate[] {
  const path = join(folder, 'Makefile')
  const targets = existsSync(path) ? readFileSync(path, 'utf8') : ''
  return ['test', 'check', 'lint']
    .filter((target) => new RegExp(`^${target}\\s*:(?!=)`, 'm').test(targets))
    .map((target) => ({ name: target === 'test' ? 'tests' : target, command: `make ${target}` }))
}
