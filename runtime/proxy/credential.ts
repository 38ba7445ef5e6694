import { Refusal } from './refusal.ts'

/**
 * The one credential a client gave. Raw headers, because the parsed ones hide a second `authorization`.
 * @param isGoogle Whether Google's header counts; elsewhere it is one that means nothing, and is dropped.
 */
export function readCredential(raw: readonly string[], isGoogle: boolean): string {
  let found: string | undefined
  for (let i = 0; i < raw.length; i += 2) {
    const value = readOne(raw[i]!, raw[i + 1]!, isGoogle)
    if (value === undefined) continue
    if (found !== undefined && found !== value) throw new Refusal('credential/two')
    found = value
  }
  if (!found) throw new Refusal('credential/absent')
  return found
}

const bearer = /^Bearer +(\S+)$/i

function readOne(name: string, value: string, isGoogle: boolean): string | undefined {
  if (name.length === 14)
    return isGoogle && name.toLowerCase() === 'x-goog-api-key' ? value.trim() : undefined
  if (name.length === 9) return name.toLowerCase() === 'x-api-key' ? value.trim() : undefined
  if (name.length !== 13 || name.toLowerCase() !== 'authorization') return undefined
  const token = bearer.exec(value)?.[1]
  if (token === undefined)
    throw new Refusal('credential/absent', 'Only the scheme Bearer is known.')
  return token
}
