import { readFileSync } from 'node:fs'
import { parse as parseYaml } from 'yaml'

type Plain = { readonly [key: string]: unknown }

/** A later layer's keys win; objects are merged, anything else is replaced. Pure. */
export function mergeLayers(layers: readonly Plain[]): Plain {
  const merged: Record<string, unknown> = {}
  for (const layer of layers) {
    for (const [key, value] of Object.entries(layer)) {
      const below = merged[key]
      merged[key] = isPlain(below) && isPlain(value) ? mergeLayers([below, value]) : value
    }
  }
  return merged
}

/** Fills `{name}` in every string. A name that is not given stays as it is, for the schema to refuse. Pure. */
export function fillPlaces(value: unknown, places: Readonly<Record<string, string>>): unknown {
  if (typeof value === 'string')
    return value.replace(/\{(\w+)\}/g, (all, name) => places[name] ?? all)
  if (Array.isArray(value)) return value.map((item) => fillPlaces(item, places))
  if (!isPlain(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, fillPlaces(item, places)]),
  )
}

const isPlain = (value: unknown): value is Plain =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** One layer from a YAML file. */
export function readLayer(path: URL): Plain {
  const read: unknown = parseYaml(readFileSync(path, 'utf8')) ?? {}
  if (!isPlain(read)) throw new Error(`${path.pathname} must hold keys and values.`)
  return read
}
