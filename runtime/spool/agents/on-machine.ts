// Agents that somebody installed on this machine: by npm, by an installer of the vendor's, in a Python environment.
// Sandboxes see /usr and Treadle's own programs, and nothing else, so what lies elsewhere is to be brought along.
import { spawnSync } from 'node:child_process'
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  statSync,
} from 'node:fs'
import { basename, dirname, join, relative, sep } from 'node:path'
import type { Profile, Program } from './profile.ts'
import { type Found, forThisMachine, readManifest, readVersion } from './programs.ts'

/** Files and folders to bring along, `to` below `{{app}}`. */
export type Link = { from: string; to: string }
export type Located = { found: Found; links: readonly Link[] } | { refused: string }

type Wanted = Exclude<Program, { kind: 'ours' }>
type Place = { name: string; program: Wanted; command: string; file: string }

/** Looks through the folders in turn, as a shell does. What lies below one of `skipped` is passed over. */
export function locate(
  name: string,
  { program }: Profile,
  { folders, skipped }: { folders: readonly string[]; skipped: readonly string[] },
): Located | undefined {
  if (program.kind === 'ours') return undefined
  for (const folder of folders) {
    const command = join(folder, program.command)
    const file = toExecutable(command)
    if (file === undefined || skipped.some((each) => isBelow(file, each))) continue
    return tryPlace({ name, program, command, file })
  }
  return undefined
}

function toExecutable(command: string): string | undefined {
  try {
    const file = realpathSync(command)
    const { mode } = statSync(file)
    return statSync(file).isFile() && (mode & 0o111) !== 0 ? file : undefined
  } catch {
    return undefined // Not there, or a link to nowhere.
  }
}

const isBelow = (path: string, folder: string) => path.startsWith(`${folder}${sep}`)

/** What somebody installed may be broken in any way: that is no reason for Treadle not to start. */
function tryPlace(at: Place): Located {
  try {
    return place(at)
  } catch (error) {
    const why = (error as Error).message.replace(/\s+/g, ' ')
    return refuse(at, `it can't be looked at: ${why}`)
  }
}

function place(at: Place): Located {
  if (isMachineCode(at.file)) return placeFile(at, at.file)
  if (at.program.kind === 'python') return placePython(at, at.program)
  return (
    placePackage(at, at.program) ?? refuse(at, 'it is a script of a kind that is not known here')
  )
}

const refuse = ({ command, program }: Place, why: string): Located => ({
  refused: `${command} can't be shown to a sandbox: ${why}. Install it by: ${program.install}. Then start Treadle again.`,
})

const elf = Buffer.from('\x7fELF')

const isMachineCode = (file: string) => readStart(file, elf.length).equals(elf)

function readStart(file: string, bytes: number): Buffer {
  const start = Buffer.alloc(bytes)
  const descriptor = openSync(file, 'r')
  try {
    return start.subarray(0, readSync(descriptor, start, 0, bytes, 0))
  } finally {
    closeSync(descriptor)
  }
}

/** One file that needs no other. */
function placeFile({ name, command, program }: Place, file: string): Located {
  const to = `agents/${name}/${basename(file)}`
  const isSeen = isVisible(file)
  return {
    found: {
      place: 'machine',
      version: versionNear(file, program),
      from: command,
      run: [isSeen ? file : `{{app}}/${to}`],
      env: {},
    },
    links: isSeen ? [] : [{ from: file, to }],
  }
}

/** Sandboxes see /usr as it is; every user must be able to read it. */
const isVisible = (path: string) => isBelow(path, '/usr') && (statSync(path).mode & 0o004) !== 0

/** By the package around it, or by its path, as installers name folders after versions. */
function versionNear(file: string, program: Wanted): string | null {
  const parts = program.kind === 'native' ? program.parts.map(forThisMachine) : []
  for (const name of [program.package, ...parts]) {
    const folder = packageAround(file, name)
    if (folder !== undefined) return readVersion(folder)
  }
  return file.match(/\/versions\/(\d[\w.-]*)(\/|$)/)?.[1] ?? null
}

const askMsMax = 5_000

/** By the program itself: seconds, for some. */
export function askVersion(file: string): string | null {
  const { stdout } = spawnSync(file, ['--version'], { encoding: 'utf8', timeout: askMsMax })
  return stdout?.match(/\d+\.\d+\.\d+[\w.-]*/)?.[0] ?? null
}

type Npm = Exclude<Wanted, { kind: 'python' }>

/** An npm package, whichever client installed it and wherever. */
function placePackage(at: Place, program: Npm): Located | undefined {
  const root = packageAround(at.file, program.package)
  if (root === undefined) return undefined
  if (program.kind === 'node') return placeScript(at, root, program.entry)
  for (const part of program.parts.map(forThisMachine)) {
    const folder = resolvePackage(root, part)
    if (folder !== undefined) return placeFile(at, join(folder, program.entry))
  }
  return refuse(
    at,
    `its package for this machine (${forThisMachine(program.parts[0]!)}) is missing`,
  )
}

function packageAround(file: string, name: string): string | undefined {
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    if (readManifest(folder)?.name === name) return folder
  }
  return undefined
}

/** Upwards, as Node looks. */
function resolvePackage(from: string, name: string): string | undefined {
  for (let folder = from; folder !== dirname(folder); folder = dirname(folder)) {
    const at = join(folder, 'node_modules', name)
    if (readManifest(at)) return at
  }
  return undefined
}

function placeScript({ name, command }: Place, root: string, entry: string): Located {
  const isSeen = isVisible(join(root, entry))
  const base = baseOf(root)
  const toPlaceOf = (folder: string) => `agents/${name}/${relative(base, folder)}`
  return {
    found: {
      place: 'machine',
      version: readVersion(root),
      from: command,
      run: ['{{node}}', isSeen ? join(root, entry) : `{{app}}/${toPlaceOf(root)}/${entry}`],
      env: {},
    },
    links: isSeen
      ? []
      : closureOf(root)
          .filter((folder) => isBelow(folder, base))
          .map((folder) => ({ from: realpathSync(folder), to: toPlaceOf(folder) })),
  }
}

/** The folder that holds the outermost node_modules around a package. */
function baseOf(root: string): string {
  const at = root.indexOf('/node_modules/')
  return at === -1 ? dirname(root) : root.slice(0, at)
}

/** A package's folder and those of all that it needs, but for what lies in a folder of the list. */
function closureOf(root: string): string[] {
  const found = new Set<string>()
  const visit = (folder: string) => {
    if (found.has(folder)) return
    found.add(folder)
    const { dependencies, optionalDependencies } = readManifest(folder) ?? {}
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const next = resolvePackage(folder, name)
      if (next !== undefined) visit(next)
    }
  }
  visit(root)
  return [...found].filter((folder) => ![...found].some((other) => isBelow(folder, other))).sort()
}

type Python = Extract<Wanted, { kind: 'python' }>
type Interpreter = { version: string; base: string; program: string; site: string | null }

/** The interpreter and its packages as one tree: Python finds its library by where its program lies. */
function placePython(at: Place, program: Python): Located {
  const script = behindShim(at)
  const interpreter = readStart(script, 4_096)
    .toString()
    .match(/^#!(\/\S*python[\d.]*)\s/)?.[1]
  if (interpreter === undefined) return refuse(at, 'its first line names no Python')
  const python = askPython(interpreter, program.module.split('.')[0]!)
  if (!python?.site) return refuse(at, `${interpreter} does not find its packages`)
  if (python.version !== program.python) {
    return refuse(at, `it needs Python ${program.python}, and ${interpreter} is ${python.version}`)
  }
  const version = versionOf(python.site, program.package)
  const shared = { place: 'machine', version, from: at.command } as const
  return isVisible(python.program)
    ? besideSystem(at.name, shared, python, program)
    : asOneTree(at.name, shared, python, program)
}

type Shared = Pick<Found, 'place' | 'version' | 'from'>

function besideSystem(
  name: string,
  shared: Shared,
  python: Interpreter,
  { module }: Python,
): Located {
  const to = `agents/${name}/packages`
  const env = { PYTHONPATH: `{{app}}/${to}`, PYTHONDONTWRITEBYTECODE: '1' }
  return {
    found: { ...shared, run: [python.program, '-m', module], env },
    links: [{ from: python.site!, to }],
  }
}

const notBrought = ['site-packages', 'test', 'idlelib', '__pycache__']

function asOneTree(name: string, shared: Shared, python: Interpreter, { module }: Python): Located {
  const { base, version, site } = python
  const library = `lib/python${version}`
  const binary = `bin/python${version}`
  const to = `agents/${name}/python`
  const own = readdirSync(join(base, library)).filter((each) => !notBrought.includes(each))
  const shelf = readdirSync(join(base, 'lib')).filter((each) => each.startsWith('libpython'))
  const brought = [
    ...own.map((each) => `${library}/${each}`),
    ...shelf.map((each) => `lib/${each}`),
  ]
  // A Python built with a shared library names the folder it was built for.
  const path = shelf.length > 0 ? { LD_LIBRARY_PATH: `{{app}}/${to}/lib` } : {}
  return {
    found: {
      ...shared,
      run: [`{{app}}/${to}/${binary}`, '-m', module],
      env: { ...path, PYTHONDONTWRITEBYTECODE: '1' },
    },
    links: [
      { from: python.program, to: `${to}/${binary}` },
      ...brought.map((each) => ({ from: join(base, each), to: `${to}/${each}` })),
      { from: site!, to: `${to}/${library}/site-packages` },
    ],
  }
}

/** pyenv puts a script of its own before each program; the program lies in one of its versions. */
function behindShim({ file, program }: Place): string {
  const [home] = file.split('/shims/')
  if (home === file) return file
  const versions = join(home!, 'versions')
  const found = readdirSync(versions)
    .sort()
    .reverse()
    .map((version) => toExecutable(join(versions, version, 'bin', program.command)))
  return found.find((each) => each !== undefined) ?? file
}

const question = `
import importlib.util, json, os, sys
spec = importlib.util.find_spec(sys.argv[1])
site = os.path.dirname(os.path.dirname(spec.origin)) if spec and spec.origin else None
program = os.path.realpath(sys.executable)
print(json.dumps({"version": "%d.%d" % sys.version_info[:2], "base": sys.base_prefix, "program": program, "site": site}))
`

function askPython(interpreter: string, module: string): Interpreter | null {
  const { stdout, status } = spawnSync(interpreter, ['-c', question, module], {
    encoding: 'utf8',
    timeout: askMsMax,
    cwd: '/', // Python looks for modules where it stands.
  })
  return status === 0 ? (JSON.parse(stdout) as Interpreter) : null
}

function versionOf(site: string, name: string): string | null {
  const folder = readdirSync(site).find((each) => {
    return each.startsWith(`${name}-`) && each.endsWith('.dist-info')
  })
  if (folder === undefined) return null
  return readFileSync(join(site, folder, 'METADATA'), 'utf8').match(/^Version: (\S+)/m)?.[1] ?? null
}
