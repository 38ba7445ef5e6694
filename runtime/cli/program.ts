// Puts the sub-commands together, runs one, and turns what happened into an exit code.
import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { type Client, createClient } from './client.ts'
import { createColours } from './colours.ts'
import type { Context, SubCommand } from './command.ts'
import { commands, groups } from './commands/index.ts'
import { Failure, failure } from './errors.ts'
import { findAccess, type Place } from './instance.ts'
import { createOutput } from './output.ts'

export type Surroundings = Pick<
  Context,
  'stdin' | 'stdout' | 'terminal' | 'stateFolder' | 'interrupted'
> & {
  stderr: Context['stdout']
}
type GlobalOptions = { json?: boolean; state?: string; url?: string; keyFile?: string }

/** Answers the exit code: 0, 1 for what went wrong, 2 for wrong use, or the command's own. */
export async function runProgram(argv: string[], around: Surroundings): Promise<number> {
  // An error may come before the options are known.
  const early = createOutput(around, argv.includes('--json'), toLook(around))
  let exitCode = 0
  const program = createProgram(around, async (command, context, args, options) => {
    exitCode = (await command.run(context, args, options)) ?? 0
  })
  try {
    await program.parseAsync(toFull(argv), { from: 'user' })
    return exitCode
  } catch (error) {
    if (around.interrupted.aborted) return Number(around.interrupted.reason)
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2 // It has said why.
    if (!(error instanceof Failure)) throw error
    early.fail(error)
    return error.exitCode
  }
}

/** `treadle help loop run` is `treadle loop run --help`, and `treadle` alone its first screen. */
function toFull(argv: string[]): string[] {
  if (argv[0] === 'help') return [...argv.slice(1), '--help']
  return isBare(argv) ? [...argv, 'home'] : argv
}

function isBare(argv: readonly string[]): boolean {
  const [option, value, ...rest] = argv
  if (option === undefined) return true
  if (option === '--json') return isBare(argv.slice(1))
  return /^--(state|url|key-file)$/.test(option) && value !== undefined && isBare(rest)
}

type Runner = (
  command: SubCommand,
  context: Context,
  args: string[],
  options: object,
) => Promise<void>

/** Every command with its options, not run. */
export function createProgram(around: Surroundings, run: Runner): Command {
  const program = withGlobals(new Command('treadle'), around)
    .description(summary)
    .version(readVersion(), '--version')
    .enablePositionalOptions() // `provider add` has a --key-file of its own.
    .exitOverride()
    .showHelpAfterError('(--help shows how)')
    .configureOutput({
      writeOut: (text) => around.stdout.write(text),
      writeErr: (text) => around.stderr.write(text),
      outputError: (text, write) => write(text + toSuggestion(text)),
    })
    .addHelpText('after', toExamplesText(examples))
  const parents = new Map(
    Object.entries(groups).map(([noun, about]) => {
      const group = program.command(noun).description(about).enablePositionalOptions()
      return [noun, group.addHelpText('after', toExamplesText(examplesOf(noun)))]
    }),
  )
  for (const command of commands) {
    const [noun, verb] = command.name.split(' ')
    const parent = verb === undefined ? program : parents.get(noun!)!
    const made = parent.command(`${verb ?? noun} ${command.args ?? ''}`.trim())
    if (verb === undefined) parents.set(noun!, made) // `usage` acts by itself, and has `usage reconcile`.
    addAction(describe(made, command), command, program, around, run)
  }
  return program
}

const summary =
  'Runs many coding-agent loops in parallel: isolated, within budgets, with keys the agents never see.'

function readVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

/** One of each of its first commands. */
const examplesOf = (noun: string) =>
  commands
    .filter(({ name }) => name.startsWith(`${noun} `))
    .map(({ examples }) => examples[0]!)
    .slice(0, 3)

/** For a verb without its noun: the nearest word is not what was meant. */
function toSuggestion(error: string): string {
  const [, word] = /^error: unknown command '(.+)'\n$/.exec(error) ?? []
  const meant = commands
    .filter(({ name }) => name.endsWith(` ${word}`))
    .map(({ name }) => `treadle ${name}`)
  return meant.length === 0 ? '' : `(Did you mean ${meant.join(', ')}?)\n`
}

const examples = [
  ['loop run loop.yaml', 'run a loop and wait for its end'],
  ['doctor', 'see what this machine has'],
] as const

function withGlobals(command: Command, { stateFolder }: Surroundings): Command {
  const isTaken = command.options.some((option) => option.long === '--key-file')
  command
    .option('--json', 'print JSON: one document, or a line for each event')
    .option('--state <folder>', `state folder of the running instance (default: ${stateFolder})`)
    .option('--url <url>', 'address of an instance elsewhere; needs its --key-file')
  return isTaken ? command : command.option('--key-file <file>', 'file with the API key for --url')
}

function addAction(
  made: Command,
  command: SubCommand,
  program: Command,
  around: Surroundings,
  run: Runner,
): void {
  command.options?.(made)
  const ownOptions = new Set(made.options.map((option) => option.attributeName()))
  withGlobals(made, around).addHelpText('after', toExamplesText(command.examples))
  made.action(async () => {
    const given = Object.entries(made.opts()).filter(([name]) => !ownOptions.has(name))
    const globals: GlobalOptions = { ...program.opts(), ...Object.fromEntries(given) }
    await using connections = createConnections()
    const context = createContext(around, globals, connections.own)
    await run(command, context, made.processedArgs.flat() as string[], made.opts())
  })
}

/** Ends what a command leaves open. What it closes itself is forgotten: a command may run for days. */
function createConnections() {
  const open = new Set<Client>()
  const close = (client: Client) =>
    open.delete(client) ? client[Symbol.asyncDispose]() : undefined
  return {
    own(client: Client): Client {
      open.add(client)
      return { ...client, [Symbol.asyncDispose]: async () => close(client) }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...open].map(close))
    },
  }
}

function createContext(
  around: Surroundings,
  globals: GlobalOptions,
  own: (client: Client) => Client,
): Context {
  const { stdin, stdout, terminal, interrupted } = around
  const stateFolder = globals.state ?? around.stateFolder
  return {
    out: createOutput(around, globals.json === true, toLook(around)),
    stdin,
    stdout,
    terminal,
    stateFolder,
    interrupted,
    connect: async () => own(createClient(findAccess(toPlace(globals, stateFolder)), interrupted)),
  }
}

const toLook = ({ stdout, terminal }: Surroundings) => ({
  colours: createColours(terminal.hasColours),
  widthMax: stdout.columns ?? Number.POSITIVE_INFINITY,
})

function toPlace({ url, keyFile }: GlobalOptions, folder: string): Place {
  if (url !== undefined && keyFile !== undefined) return { kind: 'remote', url, keyFile }
  if (url === undefined && keyFile === undefined) return { kind: 'state', folder }
  throw failure(
    'cli/usage',
    '--url and --key-file go together: an address, and the key it asks for.',
  )
}

function toExamplesText(examples: SubCommand['examples']): string {
  const width = Math.max(...examples.map(([command]) => command.length))
  const lines = examples.map(
    ([command, meaning]) => `  $ treadle ${command.padEnd(width)}  # ${meaning}`,
  )
  return `\nExamples:\n${lines.join('\n')}`
}

const describe = (made: Command, { summary, details }: SubCommand) =>
  made.summary(summary).description(details === undefined ? summary : `${summary} ${details}`)
