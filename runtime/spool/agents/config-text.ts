// Configuration files as text. Made from values, never by replacing in text, so that what a user wrote (a model's name)
// stays inside its string, whatever it holds.

export type Value = string | number | boolean | readonly Value[] | { readonly [key: string]: Value }
type Table = { readonly [key: string]: Value }

/** `ours` are texts of this house; `theirs` came from a user. */
export type Fillings = {
  ours: Readonly<Record<string, string>>
  theirs: Readonly<Record<string, string>>
}

const placeholder = /\{\{([a-z]+)\}\}/

/** In one pass, so that a text may speak of `{{model}}`. Unknown placeholders stay. */
export const fill = (text: string, { ours, theirs }: Fillings): string =>
  text.replace(new RegExp(placeholder, 'g'), (whole, name: string) => {
    const values = [theirs, ours].find((each) => Object.hasOwn(each, name))
    return values ? values[name]! : whole
  })

export const toText = (format: 'json' | 'toml', content: Value, fillings: Fillings): string =>
  format === 'json' ? toJson(content, fillings) : toToml(content as Table, fillings)

function toJson(value: Value, fillings: Fillings): string {
  if (typeof value === 'string') return quote(value, fillings)
  if (typeof value !== 'object') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map((item) => toJson(item, fillings)).join(',')}]`
  const pairs = Object.entries(value).map(
    ([key, item]) => `${quote(key, fillings)}:${toJson(item, fillings)}`,
  )
  return `{${pairs.join(',')}}`
}

/** Tables within tables come after a table's own values. */
function toToml(table: Table, fillings: Fillings, path: readonly string[] = []): string {
  const entries = Object.entries(table)
  const isTable = (value: Value): value is Table =>
    typeof value === 'object' && !Array.isArray(value)
  const own = entries
    .filter(([, value]) => !isTable(value))
    .map(([key, value]) => `${key} = ${toJson(value, fillings)}\n`)
  const nested = entries.flatMap(([key, value]) =>
    isTable(value) ? [toToml(value, fillings, [...path, key])] : [],
  )
  const head = path.length > 0 && own.length > 0 ? `[${path.join('.')}]\n` : ''
  return [head + own.join(''), ...nested].filter(Boolean).join('\n')
}

/**
 * A JSON string, which is a TOML string as well. A brace of theirs is escaped: agents and the sandbox replace
 * `{env:…}`, `{file:…}` and `{{origin}}` in a file's text before they parse it. TOML takes no bare U+007F.
 */
function quote(template: string, { ours, theirs }: Fillings): string {
  const parts = template.split(placeholder).map((part, at) => {
    if (at % 2 === 0) return escapeText(part)
    if (Object.hasOwn(ours, part)) return escapeText(ours[part]!)
    if (!Object.hasOwn(theirs, part)) return escapeText(`{{${part}}}`)
    return escapeText(theirs[part]!).replace(/[{$\x7f]/g, toEscape)
  })
  return `"${parts.join('')}"`
}

const escapeText = (text: string) => JSON.stringify(text).slice(1, -1)
const toEscape = (sign: string) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`
