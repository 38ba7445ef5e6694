// Whether a call may be made, and by which provider. A pure decision over what is in memory.
import { toUsdText } from '#kernel/units.ts'
import { type Wire, wires } from './api.ts'
import type { Caller } from './caller.ts'
import type { Prices } from './prices/prices.ts'
import { type LiveProvider, rehearsalPrefix, speaks } from './providers.ts'
import { Refusal } from './refusal.ts'

type Asked = {
  caller: Caller
  wire: Wire
  model: string
  /** What the sandbox has spent so far; undefined without a sandbox. */
  spent: { nanoUsd: number; tokens: number } | undefined
}

/** The provider that serves the call; throws the refusal otherwise. */
export function planAdmission(
  asked: Asked,
  providers: readonly LiveProvider[],
  prices: Prices,
): LiveProvider {
  const claims = asked.caller.sandbox
  if (claims && claims.model !== asked.model) {
    throw new Refusal(
      'model/refused',
      `The loop names ${claims.model}, and this call asks for ${asked.model}.`,
    )
  }
  const provider = findProvider(asked, providers)
  if (claims && asked.spent) assertBudget(claims, asked.spent)
  if (claims?.nanoUsdMax !== undefined && !prices.isPriced(provider.kind, asked.model)) {
    throw new Refusal(
      'price/none',
      `Add a price for ${asked.model} to the config, or cap the loop by tokens.`,
    )
  }
  return provider
}

function assertBudget(
  { nanoUsdMax, tokensMax }: { nanoUsdMax?: number | undefined; tokensMax?: number | undefined },
  spent: { nanoUsd: number; tokens: number },
): void {
  if (nanoUsdMax !== undefined && spent.nanoUsd >= nanoUsdMax) {
    throw new Refusal(
      'budget/usd',
      `It has used ${toUsdText(spent.nanoUsd)} of ${toUsdText(nanoUsdMax)}.`,
    )
  }
  if (tokensMax !== undefined && spent.tokens >= tokensMax) {
    throw new Refusal('budget/tokens', `It has used ${spent.tokens} of ${tokensMax} tokens.`)
  }
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
