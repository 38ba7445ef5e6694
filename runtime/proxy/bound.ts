// The most that a call can come to, before it is sent: what is reserved in budgets. Proved, not guessed: see `Scan.isInputBounded`
// for the prompt; the answer has no more tokens than the client or the model allows.
import type { Operation, Provider, ServerTool } from './api.ts'
import type { Bound, BoundOf, Wanted } from './budgets/fit.ts'
import type { Prices } from './prices/prices.ts'
import { toServerTool } from './prices/server-tools.ts'
import type { Scan } from './scan.ts'

type Place = { provider: { kind: Provider['kind'] }; model: string }
type Asked = {
  scan: Scan
  operation: Operation
  /** All that it may go to: it is held for the dearest. */
  places: readonly Place[]
  /** A policy's bound of the answer; null = none. */
  outputTokensMax: number | null
}

/** A call whose model is not known is held as if it took in and said as much as any that is sold. */
const unknownTokens = 2_000_000
const promptTokens = 2_048 // What a vendor writes around a request: of tools, of roles.

export type CallBound = { wanted: Wanted; boundOf: BoundOf }

export function planBound(asked: Asked, prices: Prices): CallBound {
  const { scan, operation, places } = asked
  const limits = places.map(({ provider, model }) => prices.limits(provider.kind, model))
  const context = Math.max(...limits.map((limit) => limit?.contextTokensMax ?? unknownTokens))
  const longest = Math.max(...limits.map((limit) => limit?.outputTokensMax ?? unknownTokens))
  const prompt = scan.isInputBounded ? Math.min(scan.bytes + promptTokens, context) : context
  const inputTokens = toWhole(prompt * toRounds(scan.serverTools))
  const outputTokens =
    operation === 'embed' ? 0 : lowest(scan.outputMax?.tokens, asked.outputTokensMax, longest)
  const tools = toUses(scan.serverTools)
  const serviceTier = scan.speed === 'fast' ? scan.speed : scan.serviceTier
  const boundOf = (each: number): Bound => {
    const output = toWhole(each * scan.choices)
    const nanoUsd = dearest(places, (kind, model) =>
      prices.boundNanoUsd(kind, model, {
        inputTokens,
        outputTokens: output,
        ...(tools && { serverTools: tools }),
        serviceTier,
      }),
    )
    return { nanoUsd, tokens: toWhole(inputTokens + output) }
  }
  const { outputTokensMin } = scan
  return { wanted: { inputTokens, outputTokens, outputTokensMin }, boundOf }
}

const toWhole = (tokens: number) => Math.min(tokens, Number.MAX_SAFE_INTEGER)

/** Each use of a tool of the vendor's is another turn of the model, which takes in all that came before. */
const toRounds = (offered: Scan['serverTools']) =>
  offered.reduce((rounds, { usesMax }) => rounds + (usesMax ?? Number.MAX_SAFE_INTEGER), 1)

const lowest = (one: number | undefined, other: number | null, most: number) =>
  Math.min(one ?? most, other ?? most, most)

function dearest(
  places: readonly Place[],
  priceOf: (kind: Provider['kind'], model: string) => number | null,
): number | null {
  let most = 0
  for (const { provider, model } of places) {
    const nanoUsd = priceOf(provider.kind, model)
    if (nanoUsd === null) return null
    most = Math.max(most, nanoUsd)
  }
  return most
}

type Uses = Partial<Record<ServerTool, number>>

/** Undefined where none is offered. One without a bound of its own is used as often as its price's `usesMax` says. */
function toUses(offered: Scan['serverTools']): Uses | undefined {
  if (offered.length === 0) return undefined
  const uses: Uses = {}
  for (const { type, usesMax } of offered) {
    const tool = toServerTool(type)
    if (tool === null) continue // It costs its tokens alone.
    uses[tool] = (uses[tool] ?? 0) + (usesMax ?? Number.MAX_SAFE_INTEGER)
  }
  return uses
}
