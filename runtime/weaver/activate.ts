// What turns a measured, empty sandbox into somebody's: its line to the proxy, and the token that
// is good there.
import { join } from 'node:path'
import { z } from 'zod'
import type { SandboxClaims, Signer } from '#kernel/tokens.ts'
import type { NewSandbox } from './api.ts'
import { lineSocketName } from './backend/place.ts'
import type { WeaverConfig } from './config.ts'
import type { Entry } from './entry.ts'
import { fault } from './errors.ts'
import { startRelay } from './relay.ts'

export type ActivateDeps = {
  config: Pick<WeaverConfig, 'lineSocket' | 'lineConnectionsMax'>
  sign: Signer
}

const Activated = z.object({ origin: z.string().max(200).nullable() })

export async function activate(deps: ActivateDeps, entry: Entry, asked: NewSandbox): Promise<void> {
  const token = asked.model ? await openLine(deps, entry, asked) : null
  const call = { method: 'POST', path: '/activate', json: { token } } as const
  const { origin } = await entry.started!.pod.json(Activated, call)
  if ((origin !== null) !== (token !== null)) {
    throw fault('weaver/pod-failed', { detail: `it offers ${origin} as the way out` })
  }
}

async function openLine(
  { config: { lineSocket, lineConnectionsMax }, sign }: ActivateDeps,
  entry: Entry,
  asked: NewSandbox,
): Promise<string> {
  const socketPath = join(entry.place.line, lineSocketName)
  const connectionsMax = lineConnectionsMax
  entry.line = await startRelay({ socketPath, sandboxId: entry.id, lineSocket, connectionsMax })
  return sign(toClaims(entry.id, asked), 'proxy', asked.model!.lifeMs)
}

function toClaims(
  id: string,
  { org, user, loop, pass, attempt, model }: NewSandbox,
): SandboxClaims {
  const { lifeMs: _, ...may } = model!
  return { kind: 'sandbox', sub: id, org, user, loop, pass, attempt, ...may }
}
