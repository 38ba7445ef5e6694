// Whether a call may be made, and by which provider. A pure decision over what is in memory.
import { type Wire, wires } from './api.ts'
import type { Caller } from './caller.ts'
import { type LiveProvider, rehearsalPrefix, speaks } from './providers.ts'
import { Refusal } from './refusal.ts'

type Asked = {
  caller: Caller
  wire: Wire
  model: string
}

/** The provider that serves the call; throws the refusal otherwise. */
export function planAdmission(asked: Asked, providers: readonly LiveProvider[]): LiveProvider {
  const claims = asked.caller.sandbox
  if (claims && claims.model !== asked.model) {
    throw new Refusal(
      'model/refused',
      `The loop names ${claims.model}, and this call asks for ${asked.model}.`,
    )
  }
  return findProvider(asked, providers)
}

type Wanted = { org: string; model: string; pinned: string | undefined }

/** The wires on which some provider serves a model: what an agent that speaks several must know before it starts. */
export const wiresOf = (wanted: Wanted, providers: readonly LiveProvider[]): Wire[] =>
  wires.filter((wire) =>
    providers.some((provider) => serves(provider, wanted) && speaks(provider.kind, wire)),
  )

function serves({ org, kind, name, models }: LiveProvider, wanted: Wanted): boolean {
  if (org !== null && org !== wanted.org) return false
  const isRehearsal = wanted.model.startsWith(rehearsalPrefix)
  if (isRehearsal !== (kind === 'rehearsal')) return false
  if (wanted.pinned !== undefined && wanted.pinned !== name) return false
  const isAny = wanted.pinned !== undefined && models.size === 0
  return isRehearsal || models.has(wanted.model) || isAny
}

/**
 * A pinned provider serves the models it lists, or any when it lists none. Without a pin it is the first that lists
 * the model. Rehearsal serves its own models and nothing else, and nobody else serves those.
 */
function findProvider(
  { caller, wire, model }: Asked,
  providers: readonly LiveProvider[],
): LiveProvider {
  const pinned = caller.sandbox?.provider
  const found = providers.find(
    (provider) =>
      serves(provider, { org: caller.org, model, pinned }) && speaks(provider.kind, wire),
  )
  if (found) return found
  const by = pinned === undefined ? 'No provider lists' : `The provider ${pinned} does not serve`
  throw new Refusal('provider/none', `${by} ${model} on this wire.`)
}
