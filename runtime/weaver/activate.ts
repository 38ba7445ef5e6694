// What turns a measured, empty sandbox into somebody's: its line to the proxy, and the token that
// is good there.
import { join } from 'node:path'
import { z } from 'zod'
import type { SandboxClaims, Signer } from '#kernel/tokens.ts'
import type { Activation } from '../pod/api.ts'
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

/** Opens the line where there is to be one. The answer is for the daemon alone: it holds the token. */
export async function prepareActivation(
  { config: { lineSocket, lineConnectionsMax }, sign }: ActivateDeps,
  entry: Entry,
  asked: NewSandbox,
): Promise<Activation> {
  if (!asked.model) return { token: null }
  const socketPath = join(entry.place.line, lineSocketName)
  const connectionsMax = lineConnectionsMax
  const relay = startRelay({ socketPath, sandboxId: entry.id, lineSocket, connectionsMax })
  // Known at once: a sandbox that ends while its line opens has one to close.
  entry.line = { [Symbol.asyncDispose]: () => relay.then(close, () => {}) }
  const claims = toClaims(entry.id, asked)
  const [token] = await Promise.all([sign(claims, 'proxy', asked.model.lifeMs), relay])
  return { token }
}

const close = (line: AsyncDisposable) => line[Symbol.asyncDispose]()

const Activated = z.object({ origin: z.string().max(200).nullable() })

/** Of a sandbox that was up before anybody wanted it. */
export async function activate(deps: ActivateDeps, entry: Entry, asked: NewSandbox): Promise<void> {
  const json = await prepareActivation(deps, entry, asked)
  const call = { method: 'POST', path: '/activate', json } as const
  const { origin } = await entry.started!.pod.json(Activated, call)
  assertOrigin(origin, asked)
}

/** Who has a token has a way out, and nobody else. */
export function assertOrigin(origin: string | null, { model }: NewSandbox): void {
  if ((origin !== null) !== (model !== undefined)) {
    throw fault('weaver/pod-failed', { detail: `it offers ${origin} as the way out` })
  }
}

function toClaims(
  id: string,
  { org, user, loop, pass, attempt, model }: NewSandbox,
): SandboxClaims {
  const { lifeMs: _, ...may } = model!
  return { kind: 'sandbox', sub: id, org, user, loop, pass, attempt, ...may }
}
