// The one credential a client gave, wherever its vendor's libraries put it.
import type { Wire } from './api.ts'
import type { RawHeaders } from './exchange.ts'
import { keyPrefix } from './keys.ts'
import { Refusal } from './refusal.ts'

const bearer = /^Bearer +(\S+)$/i

/** Where each wire's own libraries put it. `key` is that of the query. */
const placesOf: Readonly<Record<Wire, readonly string[]>> = {
  messages: ['authorization', 'x-api-key'],
  chat: ['authorization', 'x-api-key', 'api-key'],
  responses: ['authorization', 'x-api-key', 'api-key'],
  gemini: ['authorization', 'x-api-key', 'x-goog-api-key', 'key'],
}
const places = new Set(['authorization', 'x-api-key', 'api-key', 'x-goog-api-key', 'key'])
const token = /^[\w-]+\.[\w-]+\.[\w-]+$/

/** Whether it could be a key or token of ours at all. */
const isOurs = (value: string) => value.startsWith(keyPrefix) || token.test(value)

type Given = { headers: RawHeaders /** From the query. */; keys: readonly string[] }

/**
 * Raw headers, because the parsed ones hide a second `authorization`.
 * **Security.** Two different ones are refused. What stands where another vendor's libraries would put a key counts if it
 * could be ours; else it is noise, which goes nowhere.
 * @param wire Null = of no wire, where each place is as good as the other.
 */
export function readCredential({ headers, keys }: Given, wire: Wire | null): string {
  const own = wire === null ? places : new Set(placesOf[wire])
  let found: string | undefined
  let noise: string | undefined
  const take = (place: string, value: string) => {
    if (value === '') return
    if (!own.has(place) && !isOurs(value)) noise ??= value
    else if (found !== undefined && found !== value) throw new Refusal('credential/two')
    else found = value
  }
  for (let i = 0; i < headers.length; i += 2) {
    const name = toPlace(headers[i]!)
    if (name !== null) take(name, toValue(name, headers[i + 1]!))
  }
  for (const key of keys) take('key', key)
  const credential = found ?? noise
  if (credential === undefined) throw new Refusal('credential/absent')
  return credential
}

const placeLengths = new Set([...places].map(({ length }) => length))

function toPlace(header: string): string | null {
  if (!placeLengths.has(header.length)) return null
  const name = header.toLowerCase()
  return name !== 'key' && places.has(name) ? name : null
}

function toValue(name: string, value: string): string {
  if (name !== 'authorization') return value.trim()
  const said = bearer.exec(value)?.[1]
  if (said === undefined) throw new Refusal('credential/absent', 'Only the scheme Bearer is known.')
  return said
}

/**
 * Takes the keys out of a query, and leaves each other byte of it alone.
 * **Security.** What comes back of the target goes upstream and may be logged; what was taken out may not.
 */
export function takeQueryKeys(target: string): { target: string; keys: string[] } {
  const at = target.indexOf('?')
  if (at < 0 || !/key|%/i.test(target.slice(at))) return { target, keys: [] }
  const keys: string[] = []
  const kept = target
    .slice(at + 1)
    .split('&')
    .filter((part) => {
      const [name = '', ...value] = part.split('=')
      if (toText(name) !== 'key') return true
      keys.push(toText(value.join('=')))
      return false
    })
  if (keys.length === 0) return { target, keys }
  const path = target.slice(0, at)
  return { target: kept.length > 0 ? `${path}?${kept.join('&')}` : path, keys }
}

function toText(encoded: string): string {
  try {
    return decodeURIComponent(encoded.replaceAll('+', ' '))
  } catch {
    return encoded // A stray percent sign: it is no key of ours then.
  }
}
