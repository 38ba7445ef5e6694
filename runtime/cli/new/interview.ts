// Asks for what a loop file needs and nobody has said yet. Each answer is judged at once, and asked for again until it is right.
import { relative } from 'node:path'
import { toPrintable } from '../printable.ts'
import { type Draft, toAmount, toGate } from './draft.ts'
import { choicesOf, findProblems, type Shape, shapeAt } from './judge.ts'
import type { Found, Gate } from './surroundings.ts'

export type Asking = {
  /** Answers a line of the person's. */
  ask(question: string): Promise<string>
  say(text: string): void
  complain(text: string): void
  shape: Shape
  /** Whether there is such a file beside the loop file. */
  isThere(path: string): boolean
  /** Models of the running instance's providers. */
  models: readonly string[]
}

const none = '-' // An answer that leaves out what has a default.

/** What is taken where nobody is asked, or Enter is pressed. */
export function toDefaults(found: Found, folder: string, models: readonly string[]): Draft {
  return {
    name: found.name,
    ...(found.repository !== null && { repository: relative(folder, found.repository) || '.' }),
    ...(found.branch !== null && { ref: found.branch }),
    agent: 'builtin',
    ...(models[0] !== undefined && { model: models[0] }),
    ...(found.hasPromptFile && { promptFile: 'PROMPT.md' }),
    ...(found.plan !== null && { plan: found.plan }),
    ...(found.gates.length > 0 && { gates: found.gates }),
    caps: { iterations: 20, time: '2h' },
  }
}

export async function interview(given: Draft, defaults: Draft, asking: Asking): Promise<Draft> {
  const draft: Draft = { ...given }
  const words = ['name', 'repository', 'ref', 'agent', 'model'] as const
  for (const key of words) {
    if (draft[key] !== undefined) continue
    const hint = key === 'model' ? asking.models : choicesOf(shapeAt(asking.shape, [key]))
    const answer = await askFor([key], { fallback: defaults[key], hint }, asking)
    if (answer !== undefined) draft[key] = String(answer)
  }
  if (draft.prompt === undefined && draft.promptFile === undefined) {
    Object.assign(draft, await askPrompt(defaults, asking))
  }
  if (draft.plan === undefined) {
    const question = { fallback: defaults.plan, isOptional: true }
    const plan = await askFor(['plan'], question, asking)
    if (plan !== undefined) draft.plan = String(plan)
  }
  draft.gates ??= await askGates(defaults.gates ?? [], asking)
  draft.caps = await askCaps(draft.caps ?? {}, defaults.caps ?? {}, asking)
  return draft
}

type Question = {
  fallback?: string | number | undefined
  hint?: readonly string[]
  isOptional?: boolean
  toValue?: (text: string) => string | number
}

const hintsMax = 8 // More is a list to search in, not to choose from.

async function askFor(
  path: readonly string[],
  { fallback, hint = [], isOptional = false, toValue = String }: Question,
  { ask, say, complain, shape }: Asking,
): Promise<string | number | undefined> {
  const at = shapeAt(shape, path)!
  const about = [
    at.description ?? '',
    hint.length > 0 ? `(${hint.slice(0, hintsMax).join(', ')})` : '',
  ]
  say(toPrintable(about.join(' ').trim()))
  const shown = fallback === undefined ? (isOptional ? ' [none]' : '') : ` [${fallback}]`
  for (;;) {
    const text =
      (await ask(`${path.at(-1)}${toPrintable(shown)}: `)).trim() || String(fallback ?? '')
    if (isOptional && (text === '' || text === none)) return undefined
    const value = toValue(text)
    const problem = findProblems(at, value)[0]
    if (!problem) return value
    complain(text === '' ? 'It has no default: write one.' : problem.message)
  }
}

async function askPrompt({ promptFile }: Draft, asking: Asking): Promise<Draft> {
  const { ask, say, complain, isThere } = asking
  say('What every pass is told: the text, or @FILE for a file beside this one.')
  const shown = promptFile === undefined ? '' : ` [@${promptFile}]`
  let text = ''
  while (text === '') {
    text =
      (await ask(`prompt${shown}: `)).trim() || (promptFile === undefined ? '' : `@${promptFile}`)
    if (text === '') complain('It has no default: write one.')
    if (text.startsWith('@') && !isThere(text.slice(1))) {
      complain(`There is no ${text.slice(1)} beside the loop file.`)
      text = ''
    }
  }
  if (text.startsWith('@')) return { promptFile: text.slice(1) }
  const question = { isOptional: true }
  say('A longer prompt is better kept in a file of its own, such as PROMPT.md.')
  const file = await askFor(['promptFile'], question, asking)
  return { prompt: text, ...(file !== undefined && { promptFile: String(file) }) }
}

async function askGates(found: readonly Gate[], asking: Asking): Promise<Gate[]> {
  const { ask, say, complain, shape } = asking
  say('Gates prove the work: shell lines that exit with 0 when it is right. As `name: command`.')
  const gates: Gate[] = []
  const gateShape = shapeAt(shape, ['gates', 0])!
  for (let at = 0; ; at += 1) {
    const fallback = found[at]
    const shown = fallback ? `${fallback.name}: ${fallback.command}` : ''
    const more = gates.length > 0 ? ', Enter = no more' : ''
    const text =
      (await ask(`gate ${gates.length + 1}${shown ? ` [${shown}]` : more}: `)).trim() || shown
    if (text === none) continue
    if (text === '' && gates.length > 0) return gates
    const gate = toGate(text, gates)
    const problem =
      text === '' ? 'Name at least one gate.' : findProblems(gateShape, gate)[0]?.message
    if (problem === undefined) gates.push(gate)
    else {
      complain(problem)
      at -= 1
    }
  }
}

type Caps = NonNullable<Draft['caps']>

async function askCaps(given: Caps, defaults: Caps, asking: Asking): Promise<Caps> {
  const caps: Record<string, string | number> = { ...given }
  for (const key of ['iterations', 'time', 'usd'] as const) {
    if (given[key] !== undefined) continue
    const toValue = key === 'time' ? String : toAmount
    const question = { fallback: defaults[key], isOptional: key === 'usd', toValue }
    const value = await askFor(['caps', key], question, asking)
    if (value !== undefined) caps[key] = value
  }
  return caps as Caps
}
