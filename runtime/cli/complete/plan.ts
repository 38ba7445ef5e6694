// What may stand at the end of a command line. Pure: a table of the commands and the words so far, nothing else.
import {
  type CommandShape,
  type LiveKind,
  liveKinds,
  type OptionShape,
  type Slot,
  type Tree,
} from './tree.ts'

export type Candidate = { value: string; about: string }

export type Completion = {
  /** What stands before each value in the same word: `--kind=`, or `running,`. */
  before: string
  /** What the person has typed of the value. */
  typed: string
  candidates: readonly Candidate[]
  live: LiveKind | null
  paths: 'files' | 'folders' | null
}

type Place = {
  command: CommandShape | undefined
  group: string | undefined
  /** Arguments before the word that is typed. */
  args: number
  /** The option that waits for its value. */
  pending: OptionShape | undefined
  /** After `--`, or in another program's arguments. */
  isPlain: boolean
}

/** `words` are those after `treadle`; the last is being typed. */
export function planCompletion(tree: Tree, words: readonly string[]): Completion {
  const typed = words.at(-1) ?? ''
  const place = findPlace(tree, words.slice(0, -1))
  if (place === undefined) return ofSlot(null, '', typed)
  if (place.pending?.value !== undefined) return ofSlot(place.pending.value, '', typed)
  const options = optionsAt(tree, place)
  if (!place.isPlain && typed.startsWith('-')) return ofOption(options, typed)
  if (place.command) {
    const inner = place.args === 0 ? commandsAt(tree, place.command.name) : []
    if (inner.length > 0) return ofCandidates(inner, '', typed)
    return ofSlot(slotAt(place.command, place.args), '', typed)
  }
  return ofCandidates(commandsAt(tree, place.group), '', typed)
}

function findPlace(tree: Tree, before: readonly string[]): Place | undefined {
  const place: Place = {
    command: undefined,
    group: undefined,
    args: 0,
    pending: undefined,
    isPlain: false,
  }
  for (const word of before) {
    if (place.pending) place.pending = undefined
    else if (word === '--') place.isPlain = true
    else if (word.startsWith('-') && !place.isPlain)
      place.pending = waiting(optionsAt(tree, place), word)
    else if (!step(tree, place, word)) return undefined
  }
  return place
}

/** Takes a word that is no option; false where no command goes on with it. */
function step(tree: Tree, place: Place, word: string): boolean {
  if (place.command) {
    // `usage` acts by itself, and has `usage reconcile`.
    const inner = tree.commands.find(({ name }) => name === `${place.command!.name} ${word}`)
    if (inner && place.args === 0) {
      place.command = inner
      return true
    }
    place.args += 1
    place.isPlain ||= place.command.isPassingOn
    return true
  }
  if (word === 'help' && place.group === undefined) return true
  const name = place.group === undefined ? word : `${place.group} ${word}`
  place.command = tree.commands.find((command) => command.name === name)
  if (place.command) return true
  if (place.group !== undefined || !Object.hasOwn(tree.groups, word)) return false
  place.group = word
  return true
}

const optionsAt = (tree: Tree, { command }: Place) => command?.options ?? tree.options

/** The option that takes the next word: not `--kind=x`, nor a flag. */
const waiting = (options: readonly OptionShape[], word: string) =>
  options.find(({ names, value }) => value !== undefined && names.includes(word))

function slotAt({ args, isVariadic }: CommandShape, at: number): Slot {
  return args[at] ?? (isVariadic ? (args.at(-1) ?? null) : null)
}

function ofOption(options: readonly OptionShape[], typed: string): Completion {
  const at = typed.indexOf('=')
  if (at < 0) {
    const all = options.flatMap(({ names, about }) => names.map((value) => ({ value, about })))
    return ofCandidates(
      all.filter(({ value }) => value.startsWith('--')),
      '',
      typed,
    )
  }
  const option = waiting(options, typed.slice(0, at))
  return ofSlot(option?.value ?? null, typed.slice(0, at + 1), typed.slice(at + 1))
}

function commandsAt({ groups, commands }: Tree, group: string | undefined): Candidate[] {
  const start = group === undefined ? '' : `${group} `
  const here = commands
    .filter(({ name }) => name.startsWith(start) && !name.slice(start.length).includes(' '))
    .map(({ name, about }) => ({ value: name.slice(start.length), about }))
  if (group !== undefined) return here
  const nouns = Object.entries(groups).map(([value, about]) => ({ value, about }))
  return [...nouns, ...here, { value: 'help', about: 'Show how a command is used.' }]
}

function ofSlot(slot: Slot, before: string, typed: string): Completion {
  if (slot === 'files' || slot === 'folders') return { ...nothing, before, typed, paths: slot }
  if (isLive(slot)) return { ...nothing, before, typed, live: slot }
  const comma = typed.lastIndexOf(',') + 1 // Of a list with commas, the last part is typed.
  const candidates = (slot ?? []).map((value) => ({ value, about: '' }))
  return ofCandidates(candidates, before + typed.slice(0, comma), typed.slice(comma))
}

const nothing = { before: '', typed: '', candidates: [], live: null, paths: null } as const

const isLive = (slot: Slot): slot is LiveKind => liveKinds.some((kind) => kind === slot)

const ofCandidates = (all: readonly Candidate[], before: string, typed: string): Completion => ({
  ...nothing,
  before,
  typed,
  candidates: all.filter(({ value }) => value.startsWith(typed)),
})
