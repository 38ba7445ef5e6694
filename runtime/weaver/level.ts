// How strong a sandbox is: what its backend promises, held against what was measured inside.
import { z } from 'zod'
import type { Level } from './api.ts'
import { fault } from './errors.ts'

type Backend = Level['backend']

const always = ['no-new-privileges', 'no-core-dump']
const walls = [
  ...[
    'user-namespace',
    'own-uid',
    'pid-namespace',
    'private-proc',
    'ipc-namespace',
    'uts-namespace',
  ],
  ...['no-capabilities', 'read-only-system', 'no-interface', 'no-route'],
]

/**
 * Names of probes that must hold. `hasFilter`: whether this machine's architecture has a seccomp
 * filter of ours.
 */
export function promisedProbes(backend: Backend, hasFilter: boolean): readonly string[] {
  if (backend === 'none') return always
  return [...always, ...walls, ...(backend === 'bubblewrap' && hasFilter ? ['seccomp'] : [])]
}

const textMax = 500
const Probes = z
  .array(
    z.object({ name: z.string().max(100), held: z.boolean(), detail: z.string().max(textMax) }),
  )
  .max(100)

type Facts = { backend: Backend; limits: Level['limits']; hasFilter: boolean }

/**
 * From what the daemon measured. Throws `weaver/too-weak`, which names every promise that does not
 * hold.
 */
export function toLevel(probes: Level['probes'], { backend, limits, hasFilter }: Facts): Level {
  const weak = findWeak(promisedProbes(backend, hasFilter), probes)
  if (weak.length > 0) throw fault('weaver/too-weak', { say: weak.join('; ') })
  return { backend, limits, probes }
}

const Ready = z.object({ probes: Probes, origin: z.string().max(200).nullable() })

/** The daemon's words when it was up. */
export function parseReady(words: string): z.infer<typeof Ready> {
  try {
    return Ready.parse(JSON.parse(words))
  } catch (cause) {
    throw fault('weaver/pod-failed', { cause, detail: String(cause) })
  }
}

/** A probe that is missing does not hold. */
export function findWeak(promised: readonly string[], probes: Level['probes']): string[] {
  return promised.flatMap((name) => {
    const probe = probes.find((measured) => measured.name === name)
    return probe?.held ? [] : [`${name}: ${probe?.detail ?? 'not measured'}`]
  })
}
