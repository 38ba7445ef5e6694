// Which of several targets a conversation belongs to: prompt caches are a credential's own, so its calls stay together.
// Rendezvous hashing (Thaler and Ravishankar 1998) makes several workers agree without a word: each target draws a number
// from the conversation's name and its own, and the highest wins. When one goes, only its conversations move.
import { hash } from 'node:crypto'
import type { Wire } from '../api.ts'

const sessionHeaders = [
  'x-claude-code-session-id',
  'session-id',
  'thread-id',
  'x-session-id',
  'x-session-affinity',
]
const charsMax = 200

type Asker = { loop: string | null; promptCacheKey: string | null; endUser: string | null }

/**
 * What the conversation is called: its session, else the loop, else the prompt cache's key, else whom it is for. Null =
 * nothing tells.
 */
export function readAffinity(raw: readonly string[], asker: Asker): string | null {
  for (const name of sessionHeaders) {
    for (let i = 0; i < raw.length; i += 2) {
      if (raw[i]!.length !== name.length || raw[i]!.toLowerCase() !== name) continue
      if (raw[i + 1] !== '') return `session:${raw[i + 1]!.slice(0, charsMax)}`
    }
  }
  if (asker.loop !== null) return `loop:${asker.loop}`
  const { promptCacheKey, endUser } = asker
  if (promptCacheKey !== null) return `cache:${promptCacheKey.slice(0, charsMax)}`
  return endUser === null ? null : `user:${endUser.slice(0, charsMax)}`
}

/** A number in (0, 1] from two names, the same in every process. */
export function draw(affinity: string, name: string): number {
  const hex = hash('sha256', `${affinity}\0${name}`, 'hex').slice(0, 12) // 48 bits, exact in a double.
  return (Number.parseInt(hex, 16) + 1) / 2 ** 48
}

/**
 * The score of a target of a weight, higher wins: of many conversations each target gets its weight's share.
 * https://www.snia.org/sites/default/files/SDC15_presentations/dist_sys/Jason_Resch_New_Consistent_Hashings_Rev.pdf
 */
export const scoreOf = (drawn: number, weight: number): number => -weight / Math.log(drawn)

const homesMax = 20_000 // 200 bytes each. The longest unused leave; rendezvous then finds most of them again.

/** Where conversations were last answered, in this process. */
export type Homes = {
  find(scope: string): string | undefined
  set(scope: string, provider: string): void
  readonly size: number
}

export function createHomes(sizeMax = homesMax): Homes {
  const homes = new Map<string, string>()
  return {
    find: (scope) => homes.get(scope),
    set(scope, provider) {
      homes.delete(scope) // Set again, it is the newest: a Map keeps the order of insertion.
      homes.set(scope, provider)
      if (homes.size > sizeMax) homes.delete(homes.keys().next().value!)
    },
    get size() {
      return homes.size
    },
  }
}

export const scopeOf = (org: string, wire: Wire, affinity: string) => `${org}\0${wire}\0${affinity}`
