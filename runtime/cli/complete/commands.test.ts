// commands.json is what Tab reads instead of the commands. This makes it anew and compares:
// `node --test --test-update-snapshots runtime/cli/complete/commands.test.ts` writes it after a command has changed.
import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Argument, Command, Option } from 'commander'
import { Agent, endings } from '../../spool/api.ts'
import { commands, groups } from '../commands/index.ts'
import { createProgram } from '../program.ts'
import type { CommandShape, OptionShape, Slot, Tree } from './tree.ts'

const states = ['queued', 'running', 'paused', 'ended']
const agents = Agent.options[0].options

/** What an option's value is, by the name that its help gives it. */
const slotsByName: Readonly<Record<string, Slot>> = {
  '--loop': 'loops',
  '--provider': 'providers',
  '--model': 'models',
  '--key': 'keys',
  '--to': 'providers',
  '--agent': agents,
  '--ending': Object.keys(endings).filter((ending) => !/\s/.test(ending)),
  states,
  file: 'files',
  folder: 'folders',
}

function slotOfOption({ long, argChoices, flags }: Option): Slot {
  if (argChoices) return argChoices
  const name = /<([\w-]+)/.exec(flags)?.[1] ?? ''
  return slotsByName[long!] ?? slotsByName[name] ?? null
}

const slotsByGroup: Readonly<Record<string, Slot>> = {
  loop: 'loops',
  sandbox: 'sandboxes',
  thread: 'threads',
  provider: 'providers',
  budget: 'budgets',
  key: 'keys',
  route: 'routes',
}
const slotsByCommand: Readonly<Record<string, Slot>> = {
  'loop attach': 'loops that run',
  'loop cancel': 'loops that run',
  'loop pause': 'loops that run',
  'loop resume': 'loops that run',
  'loop retry': 'loops that ended',
  'route add': null,
  'provider add': null, // A name that is new.
  'budget add': null,
  'key create': null,
  'agent test': agents,
}

function slotOfArgument(command: string, argument: Argument): Slot {
  if (argument.argChoices) return argument.argChoices
  const name = argument.name()
  if (name === 'file') return 'files'
  if (name === 'model') return 'models'
  if (name === 'folder') return 'folders'
  if (name !== 'id' && name !== 'name') return null
  return command in slotsByCommand
    ? slotsByCommand[command]!
    : (slotsByGroup[command.split(' ')[0]!] ?? null)
}

const help: OptionShape = { names: ['-h', '--help'], about: 'show how it is used' }
const toOption = (option: Option): OptionShape => ({
  names: [option.short, option.long].filter((name) => name !== undefined),
  about: option.description.replace(/ \(default: .*\/.*\)$/, ''), // The state folder of who made this.
  ...(option.required || option.optional ? { value: slotOfOption(option) } : {}),
})

function toShape(name: string, program: Command): CommandShape {
  const made = name
    .split(' ')
    .reduce((at, word) => at.commands.find((child) => child.name() === word)!, program)
  const argv = made.registeredArguments
  return {
    name,
    about: made.summary(),
    args: argv.map((argument) => slotOfArgument(name, argument)),
    isVariadic: argv.at(-1)?.variadic === true,
    isPassingOn: '_passThroughOptions' in made && made._passThroughOptions === true,
    options: [...made.options.filter(({ hidden }) => !hidden).map(toOption), help],
  }
}

function makeTree(): Tree {
  const [stdin, stdout] = [new PassThrough(), new PassThrough()]
  const interrupted = new AbortController().signal
  const around = {
    stdin,
    stdout,
    stderr: stdout,
    terminal: { term: '', isUnicode: false, hasColours: false },
    stateFolder: '/s',
    interrupted,
  }
  const program = createProgram(around, async () => {})
  return {
    options: [...program.options.map(toOption), help],
    groups,
    commands: commands.map(({ name }) => toShape(name, program)),
  }
}

describe('the table that Tab reads', () => {
  test('says what the commands say of themselves', (t) => {
    const path = fileURLToPath(new URL('./commands.json', import.meta.url))
    t.assert.fileSnapshot(makeTree(), path, {
      serializers: [(tree) => JSON.stringify(tree, undefined, 1)],
    })
  })

  test('names no place of the machine that made it', () => {
    assert.ok(!JSON.stringify(makeTree()).includes('/s)'))
  })
})
