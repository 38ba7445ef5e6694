// Untrusted bodies to typed values, or every problem at once. By hand: loading a schema library would
// cost more than the daemon's whole start, and a cold sandbox waits for its first request.
import type { Problem } from '#kernel/parse.ts'
import type { AgentStart, Exec, Snapshot } from '../weaver/api.ts'
import type { Activation } from './api.ts'
import { fault } from './errors.ts'

type Check = (value: unknown, path: string) => Problem[]
type Shape = Readonly<Record<string, Check>>

const bad = (path: string, message: string): Problem[] => [{ path, message }]
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

// NUL ends a string for the kernel, so it could hide what follows it.
const text =
  (pattern = /^[^\0]*$/, hint = 'Write text without NUL.'): Check =>
  (value, path) =>
    typeof value === 'string' && pattern.test(value) ? [] : bad(path, hint)

const whole =
  (min: number, max: number): Check =>
  (value, path) =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max
      ? []
      : bad(path, `Write a whole number from ${min} to ${max}.`)

const list =
  (check: Check, min: number, max: number): Check =>
  (value, path) =>
    Array.isArray(value) && value.length >= min && value.length <= max
      ? value.flatMap((item, index) => check(item, `${path}.${index}`))
      : bad(path, `Write a list of ${min} to ${max} items.`)

const orNull =
  (check: Check): Check =>
  (value, path) =>
    value === null ? [] : check(value, path)

const shape =
  (fields: Shape): Check =>
  (value, path) => {
    if (!isRecord(value)) return bad(path || '(root)', 'Write an object.')
    const at = (key: string) => (path ? `${path}.${key}` : key)
    const unknown = Object.keys(value).filter((key) => !Object.hasOwn(fields, key))
    return [
      ...unknown.flatMap((key) => bad(at(key), 'Unknown key. Remove it, or correct its spelling.')),
      ...Object.entries(fields).flatMap(([key, check]) => check(value[key], at(key))),
    ]
  }

const environment: Check = (value, path) => {
  if (!isRecord(value)) return bad(path, 'Write an object of variables.')
  return Object.entries(value).flatMap(([name, content]) =>
    /^[A-Za-z_]\w*$/.test(name)
      ? text()(content, `${path}.${name}`)
      : bad(`${path}.${name}`, 'Write a name of letters, digits and underscores.'),
  )
}

const argvMax = 1_000
const filesMax = 100
const timerMsMax = 2 ** 31 - 1 // Node fires a longer timer at once.
const argv = list(text(), 1, argvMax)
// Relative, and without a `..` that would leave the home.
const filePath = text(
  /^(?!\/)(?!(.*\/)?\.\.(\/|$))[^\0]+$/,
  'Write a path below the home, without `..`.',
)
const commit = text(/^[0-9a-f]{40}$/, 'Write a full commit id.')

const shapes = {
  activation: shape({ token: orNull(text(/^[\x21-\x7e]{1,16384}$/, 'Write one line.')) }),
  agent: shape({
    argv,
    env: environment,
    files: list(shape({ path: filePath, content: text() }), 0, filesMax),
    timeMsMax: whole(1, timerMsMax),
  }),
  exec: shape({ argv, env: environment, timeoutMs: whole(1, 86_400_000) }),
  snapshot: shape({
    base: commit,
    message: text(/^[^\0]{1,10000}$/, 'Write 1 to 10000 characters.'),
  }),
}

export const parseActivation = (input: unknown) => parse<Activation>(shapes.activation, input)
export const parseAgentStart = (input: unknown) => parse<AgentStart>(shapes.agent, input)
export const parseExec = (input: unknown) =>
  parse<Exec>(shapes.exec, isRecord(input) ? { env: {}, ...input } : input)
export const parseSnapshot = (input: unknown) => parse<Snapshot>(shapes.snapshot, input)
export const parseCommit = (input: string | null) => parse<string>(commit, input, 'sha')

/** A number in a query, cut to its limits; what is no number counts as the least. */
export const toBounded = (value: string | null, max: number): number =>
  Math.min(Math.max(Math.trunc(Number(value)) || 0, 0), max)

function parse<T>(check: Check, input: unknown, path = ''): T {
  const problems = check(input, path)
  if (problems.length > 0) throw fault('pod/invalid', { problems })
  return input as T
}
