// What a call costs and may cost at most, in whole nano-dollars, and how much a model takes and says. Asked in this order:
// `proxy.prices` of the config, the operator's file, the file that ships, the list of @pydantic/genai-prices.
import type { Provider, ServerTool } from '../api.ts'
import type { Price } from '../config.ts'
import { findListed, type ListedPrice } from './listed.ts'
import { byCloseness, isFor, type PriceEntry } from './price-file.ts'
import {
  type Counted,
  nanoOf,
  permilleOf,
  type RateTier,
  type ToolRate,
  tokensBoundNanoUsd,
  tokensNanoUsd,
  toRates,
} from './rates.ts'

type Kind = Provider['kind']

export type { Counted }

export type Source = 'config' | 'file' | 'shipped' | 'list'
export type Limits = { contextTokensMax: number; outputTokensMax: number }

export type ModelPrice = {
  source: Source
  tiers: readonly RateTier[]
}
/** All that is known of a model, each part from the first place that has it. */
export type Known = {
  price: ModelPrice | null
  serverTools: ReadonlyMap<string, ToolRate>
  /** Factors in thousandths. */
  serviceTiers: ReadonlyMap<string, number>
  limits: Limits | null
}
export type Cost = {
  nanoUsd: number
  /** What of the call has no price, and so is not in the sum: `web_search`, `tier:priority`. */
  unpriced: readonly string[]
}
export type BoundOf = {
  inputTokens: number
  outputTokens: number
  /** The vendor's tools that the request offers, and how often each may be used. */
  serverTools?: Readonly<Partial<Record<ServerTool, number>>>
  /** What the request asks for; null or left out = the vendor may choose. */
  serviceTier?: string | null
}

export type Prices = {
  /** Null = the model has no price. */
  find(kind: Kind, model: string): ModelPrice | null
  /** All that is known of the model, for people to look at. */
  known(kind: Kind, model: string): Known
  isPriced(kind: Kind, model: string): boolean
  cost(kind: Kind, model: string, usage: Counted): Cost | null
  /** Null = the model has no price. What of the call has none is left out: ask `cost` to know. */
  costNanoUsd(kind: Kind, model: string, usage: Counted): number | null
  /**
   * The dearest that a call within these bounds can cost: never less than `costNanoUsd` of it. Null = it has no bound in
   * dollars, for the model or one of the tools has no price.
   */
  boundNanoUsd(kind: Kind, model: string, bound: BoundOf): number | null
  limits(kind: Kind, model: string): Limits | null
  /** Replaces what the operator's file says. */
  setFile(entries: readonly PriceEntry[]): void
}

const keepMs = 3_600_000 // Prices have days from which they hold.
const knownMax = 2_000 // Model names come from clients.

type Options = {
  own: readonly Price[]
  shipped: readonly PriceEntry[]
  now: () => Date
}

export function createPrices({ own, shipped, now }: Options): Prices {
  const layers = {
    config: own.map(toEntry), // In its own order: the first that fits wins.
    file: [] as readonly PriceEntry[],
    shipped: byCloseness(shipped),
  }
  const memo = createMemo((kind, model, at) => resolve(layers, kind, model, at), now)
  const cost = (kind: Kind, model: string, usage: Counted): Cost | null => {
    const known = memo.get(kind, model)
    return known.price ? toCost(known, known.price, usage) : null
  }
  return {
    find: (kind, model) => memo.get(kind, model).price,
    known: memo.get,
    isPriced: (kind, model) => memo.get(kind, model).price !== null,
    cost,
    costNanoUsd: (kind, model, usage) => cost(kind, model, usage)?.nanoUsd ?? null,
    boundNanoUsd: (kind, model, bound) => toBound(memo.get(kind, model), bound),
    limits: (kind, model) => memo.get(kind, model).limits,
    setFile(entries) {
      layers.file = byCloseness(entries)
      memo.clear()
    },
  }
}

/** Keeps what was found for a while: by kind, then by model. */
function createMemo(find: (kind: Kind, model: string, at: Date) => Known, now: () => Date) {
  type Kept = { atMs: number; known: Known }
  const kinds = new Map<Kind, Map<string, Kept>>()
  return {
    get(kind: Kind, model: string): Known {
      const models = kinds.get(kind) ?? new Map<string, Kept>()
      if (models.size === 0) kinds.set(kind, models)
      const at = now()
      const kept = models.get(model)
      if (kept && Math.abs(at.getTime() - kept.atMs) < keepMs) return kept.known
      if (models.size >= knownMax) models.clear()
      const known = find(kind, model, at)
      models.set(model, { atMs: at.getTime(), known })
      return known
    },
    clear: () => kinds.clear(),
  }
}

type Layers = Readonly<Record<'config' | 'file' | 'shipped', readonly PriceEntry[]>>
const ownSources = ['config', 'file', 'shipped'] as const

function resolve(layers: Layers, kind: Kind, model: string, at: Date): Known {
  const day = at.toISOString().slice(0, 10)
  const holding = ownSources.flatMap((source) =>
    layers[source]
      .filter((entry) => isFor(entry, kind, model) && (entry.from ?? '') <= day)
      .map((entry) => ({ source, entry })),
  )
  const priced = holding.find(({ entry }) => entry.rates)
  const listed = findListed(kind, model, at)
  return {
    price: priced
      ? { source: priced.source, tiers: toTiers(priced.entry.rates!) }
      : listed?.tiers
        ? { source: 'list', tiers: listed.tiers }
        : null,
    serverTools: toTools(
      holding.map(({ entry }) => entry),
      listed,
    ),
    serviceTiers: toFactors(holding.map(({ entry }) => entry)),
    limits: toLimits(
      holding.map(({ entry }) => entry),
      listed,
    ),
  }
}

function toTiers({ above = [], ...base }: NonNullable<PriceEntry['rates']>): RateTier[] {
  const tiers = above.map(({ inputTokens, ...named }) => ({
    above: inputTokens,
    rates: toRates({ ...base, ...named }),
  }))
  return [{ above: 0, rates: toRates(base) }, ...tiers.toSorted((a, b) => a.above - b.above)]
}

/** By tool: what is named most closely wins for each. */
function toTools(entries: readonly PriceEntry[], listed: ListedPrice | null) {
  const own = entries
    .toReversed()
    .flatMap(({ serverTools = {} }) =>
      Object.entries(serverTools).map(
        ([tool, { usd, usesMax }]) => [tool, { nanoUsd: nanoOf(usd), usesMax }] as const,
      ),
    )
  return new Map<string, ToolRate>([...(listed?.serverTools ?? []), ...own])
}

const toFactors = (entries: readonly PriceEntry[]) =>
  new Map(
    entries
      .toReversed()
      .flatMap(({ serviceTiers = {} }) =>
        Object.entries(serviceTiers).map(([tier, factor]) => [tier, permilleOf(factor)] as const),
      ),
  )

function toLimits(entries: readonly PriceEntry[], listed: ListedPrice | null): Limits | null {
  const context =
    entries.find((entry) => entry.contextTokensMax !== undefined)?.contextTokensMax ??
    listed?.contextTokensMax
  if (context === undefined) return null
  const output = entries.find((entry) => entry.outputTokensMax !== undefined)?.outputTokensMax
  return { contextTokensMax: context, outputTokensMax: output ?? context } // No answer is longer than what holds it.
}

function toEntry(price: Price): PriceEntry {
  const { model, cacheWrite1hUsdPerMTok, reasoningUsdPerMTok } = price
  const { contextTokensMax, outputTokensMax } = price
  return {
    model,
    ...(contextTokensMax !== undefined && { contextTokensMax }),
    ...(outputTokensMax !== undefined && { outputTokensMax }),
    rates: {
      input: price.inputUsdPerMTok,
      cached: price.cachedUsdPerMTok,
      cacheWrite5m: price.cacheWriteUsdPerMTok,
      output: price.outputUsdPerMTok,
      ...(cacheWrite1hUsdPerMTok !== undefined && { cacheWrite1h: cacheWrite1hUsdPerMTok }),
      ...(reasoningUsdPerMTok !== undefined && { reasoning: reasoningUsdPerMTok }),
    },
  }
}

const nothing: readonly string[] = []
/** Names of being served in the plain way. */
const plainTiers: ReadonlySet<string> = new Set(['default', 'standard', 'auto', 'on_demand'])

function toCost(known: Known, price: ModelPrice, usage: Counted): Cost {
  const unpriced: string[] = []
  const permille = usage.serviceTier ? factorOf(known, usage.serviceTier, unpriced) : 1_000
  let nanoUsd = tokensNanoUsd(price.tiers, usage, permille)
  const calls = usage.serverToolCalls
  for (const tool in calls) {
    const uses = calls[tool as ServerTool]!
    const rate = known.serverTools.get(tool)
    if (rate) nanoUsd += Math.min(uses, rate.usesMax ?? uses) * rate.nanoUsd
    else if (uses > 0) unpriced.push(tool)
  }
  return {
    nanoUsd: Math.min(nanoUsd, Number.MAX_SAFE_INTEGER),
    unpriced: unpriced.length > 0 ? unpriced : nothing,
  }
}

/** Several ways at once stand with a plus between: `fast+geo-us`. One without a factor costs as plain, and is said. */
function factorOf({ serviceTiers }: Known, tier: string, unpriced: string[]): number {
  return tier.split('+').reduce((permille, name) => {
    const factor = serviceTiers.get(name)
    if (factor !== undefined) return Math.ceil((permille * factor) / 1_000)
    if (!plainTiers.has(name)) unpriced.push(`tier:${name}`)
    return permille
  }, 1_000)
}

function toBound(known: Known, bound: BoundOf): number | null {
  if (!known.price) return null
  const permille = dearestFactor(known.serviceTiers, bound.serviceTier ?? null)
  let nanoUsd = tokensBoundNanoUsd(known.price.tiers, bound, permille)
  for (const [tool, uses] of Object.entries(bound.serverTools ?? {})) {
    const rate = known.serverTools.get(tool)
    if (!rate) return null
    nanoUsd += Math.min(uses, rate.usesMax ?? uses) * rate.nanoUsd
  }
  return Math.min(nanoUsd, Number.MAX_SAFE_INTEGER)
}

/** Ways that no vendor chooses unasked. */
const askedAlone: ReadonlySet<string> = new Set(['fast', 'batch'])

/** A vendor may serve a call in a plainer way than asked, and where nothing is asked in any way that a project is set to. */
function dearestFactor(factors: ReadonlyMap<string, number>, asked: string | null): number {
  if (factors.size === 0) return 1_000
  const isOpen = asked === null || asked === 'auto'
  let [served, place] = [1_000, 1_000]
  for (const [name, factor] of factors) {
    if (name.startsWith('geo-')) place = Math.max(place, factor)
    else if (name === asked || (isOpen && !askedAlone.has(name))) served = Math.max(served, factor)
  }
  return Math.ceil((served * place) / 1_000)
}
