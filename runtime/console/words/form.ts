// From a JSON Schema to the fields of a form, and from what was typed to the value that the API takes.

export type Schema = {
  type?: string
  description?: string
  default?: unknown
  enum?: string[]
  anyOf?: Schema[]
  items?: Schema
  properties?: Record<string, Schema>
  required?: string[]
  pattern?: string
  maxLength?: number
  minimum?: number
  maximum?: number
}

export type Field = { path: string; label: string; hint: string; isRequired: boolean } & (
  | { kind: 'text' | 'long'; placeholder: string }
  | { kind: 'number'; placeholder: string; step: 'any' | 1 }
  | { kind: 'choice'; choices: readonly string[]; first: string }
  /** Lines of a text, one item each. */
  | { kind: 'lines' }
  | { kind: 'group'; fields: readonly Field[] }
  /** Groups of which there may be many; `item` answers the fields of the one at a place. */
  | { kind: 'many'; item: (index: number) => readonly Field[] }
  /** One of some words, or a group of fields of one's own. */
  | { kind: 'either'; choices: readonly string[]; own: readonly Field[] }
)

const longCharsMin = 10_001 // A prompt; a shell line is shorter.

/** The fields of an object, in the schema's order. Paths are `gates.0.name`. */
export function toFields(schema: Schema, above = ''): Field[] {
  const required = new Set(schema.required)
  return Object.entries(schema.properties ?? {}).map(([name, property]) =>
    toField(property, {
      path: above === '' ? name : `${above}.${name}`,
      label: toLabel(name),
      hint: property.description ?? '',
      isRequired: required.has(name),
    }),
  )
}

type Head = Pick<Field, 'path' | 'label' | 'hint' | 'isRequired'>

function toField(schema: Schema, head: Head): Field {
  const { path, isRequired } = head
  if (schema.anyOf) return toEither(schema.anyOf, head)
  if (schema.enum) {
    const first = isRequired ? '' : String(schema.default ?? '')
    return { ...head, kind: 'choice', choices: schema.enum, first }
  }
  if (schema.type === 'object') return { ...head, kind: 'group', fields: toFields(schema, path) }
  if (schema.type === 'array') {
    const { items } = schema
    if (items?.type !== 'object') return { ...head, kind: 'lines' }
    return { ...head, kind: 'many', item: (index) => toFields(items, `${path}.${index}`) }
  }
  const placeholder = schema.default === undefined ? '' : String(schema.default)
  if (schema.type === 'integer') return { ...head, kind: 'number', placeholder, step: 1 }
  if (schema.type === 'number') return { ...head, kind: 'number', placeholder, step: 'any' }
  const isLong = (schema.maxLength ?? 0) >= longCharsMin
  return { ...head, kind: isLong ? 'long' : 'text', placeholder }
}

function toEither(schemas: readonly Schema[], head: Head): Field {
  const choices = schemas.flatMap((schema) => schema.enum ?? [])
  const own = schemas.find(({ type }) => type === 'object')
  if (own) return { ...head, kind: 'either', choices, own: toFields(own, head.path) }
  return { ...head, kind: 'text', placeholder: '' } // A text or a list of texts: the text says as much.
}

const toLabel = (name: string) =>
  name
    .replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
    .replace(/^./, (letter) => letter.toUpperCase())

type Values = { [key: string]: unknown }

export function valueAt(values: unknown, path: string): unknown {
  let at = values
  for (const key of path.split('.')) at = (at as Values | undefined)?.[key]
  return at
}

/** A copy with one value changed; undefined takes it out. */
export function withValue<T>(values: T, path: string, value: unknown): T {
  const [key, ...rest] = path.split('.') as [string, ...string[]]
  const copy: Values | unknown[] = Array.isArray(values)
    ? [...(values as unknown[])]
    : { ...(values as Values) }
  const next =
    rest.length === 0 ? value : withValue((copy as Values)[key] ?? {}, rest.join('.'), value)
  if (next === undefined && !Array.isArray(copy)) delete copy[key]
  else (copy as Values)[key] = next
  return copy as T
}

/** What is sent: without fields that nothing was typed into, and groups of which nothing is left. */
export function toSent(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => toSent(item) ?? {})
  if (typeof value !== 'object' || value === null) return value === '' ? undefined : value
  const used = Object.entries(value)
    .map(([key, item]) => [key, toSent(item)] as const)
    .filter(([, item]) => item !== undefined)
  return used.length === 0 ? undefined : Object.fromEntries(used)
}

/** Milliseconds as a loop file has them: `90s`, `2h`. */
export function toDurationInput(ms: number): string {
  for (const [unit, size] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1_000],
  ] as const) {
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`
  }
  return `${ms}ms`
}
