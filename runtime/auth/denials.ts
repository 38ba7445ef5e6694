// Slows down whoever is refused again and again. In memory: it guards the database and the log, not the secrets,
// which have 256 bits.
import { fault } from './errors.ts'

export type Denials = {
  /** Throws while this address was refused too often, unless the credential proved good before. */
  admit(address: string, credentialHash: string): void
  prove(credentialHash: string): void
  isProven(credentialHash: string): boolean
  /** It is over: what proved good before does so no more. */
  forget(credentialHash: string): void
  /** Counts one. Answers whether it is still worth a line in the access log. */
  count(address: string): boolean
}

const addressesMax = 10_000
const provenMax = 10_000

export function createDenials(max: number, windowMs: number, now: () => Date): Denials {
  const windows = new Map<string, { count: number; endsAt: number }>()
  const proven = new Set<string>()

  const windowOf = (address: string) => {
    const known = windows.get(address)
    return known && known.endsAt > now().getTime() ? known : undefined
  }

  return {
    admit(address, credentialHash) {
      const { count } = windowOf(address) ?? { count: 0 }
      if (count >= max && !proven.has(credentialHash)) throw fault('auth/too-many-denials')
    },
    prove(credentialHash) {
      proven.delete(credentialHash) // What is used again moves to the end: the first one is the oldest.
      proven.add(credentialHash)
      if (proven.size > provenMax) proven.delete(proven.values().next().value!)
    },
    isProven: (credentialHash) => proven.has(credentialHash),
    forget: (credentialHash) => void proven.delete(credentialHash),
    count(address) {
      const window = windowOf(address) ?? { count: 0, endsAt: now().getTime() + windowMs }
      window.count += 1
      windows.delete(address)
      windows.set(address, window)
      if (windows.size > addressesMax) windows.delete(windows.keys().next().value!)
      return window.count <= max
    },
  }
}
