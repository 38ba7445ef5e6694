// Reads the JSON Schemas that requests carry. They are others' data: whatever is not understood counts
// as absent.
import type { JsonSchema } from './wires/wire.ts'

const isSchema = (value: unknown): value is JsonSchema =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const asSchema = (value: unknown): JsonSchema => (isSchema(value) ? value : {})

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

export function propertiesOf(schema: JsonSchema): Readonly<Record<string, JsonSchema>> {
  const entries = Object.entries(asSchema(schema.properties))
  return Object.fromEntries(entries.map(([name, value]) => [name, asSchema(value)]))
}

export const requiredOf = (schema: JsonSchema): readonly string[] =>
  listOf(schema.required).filter((name) => typeof name === 'string')

export const itemsOf = (schema: JsonSchema) => asSchema(schema.items)
export const hasChoices = (schema: JsonSchema) => Array.isArray(schema.enum)

/** The first type it names, in small letters; empty where it names none. */
export function typeOf(schema: JsonSchema): string {
  const { type = listOf(schema.anyOf).map(asSchema)[0]?.type } = schema
  return String(listOf(type)[0] ?? type ?? '').toLowerCase()
}

const depthMax = 20 // Deeper than any schema of a tool; a hostile one may have no end.

/** The plainest value that fits. */
export function exampleOf(schema: JsonSchema, depth = 0): unknown {
  if (schema.const !== undefined) return schema.const
  if (hasChoices(schema)) return listOf(schema.enum)[0]
  const [choice] = [...listOf(schema.anyOf), ...listOf(schema.oneOf)]
  if (choice !== undefined && depth < depthMax) return exampleOf(asSchema(choice), depth + 1)
  switch (typeOf(schema)) {
    case 'object':
      return depth < depthMax ? exampleObject(schema, depth) : {}
    case 'array':
      return []
    case 'boolean':
      return false
    case 'number':
    case 'integer':
      return schema.minimum ?? 1
    default:
      return 'rehearsal'
  }
}

function exampleObject(schema: JsonSchema, depth: number): Record<string, unknown> {
  const properties = propertiesOf(schema)
  const names = Array.isArray(schema.required) ? requiredOf(schema) : Object.keys(properties)
  return Object.fromEntries(
    names.map((name) => [name, exampleOf(properties[name] ?? {}, depth + 1)]),
  )
}
