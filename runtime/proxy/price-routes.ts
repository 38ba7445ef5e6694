// What models cost here: for people to look up, and to try a file of prices before it is put in place.
import { json, Router } from 'express'
import { z } from 'zod'
import type { Access } from '#kernel/access.ts'
import { userOf } from '#kernel/caller.ts'
import { parse } from '#kernel/parse.ts'
import type { PriceCheck, PriceRow, Provider } from './api.ts'
import { fault } from './errors.ts'
import { parsePriceFile } from './prices/price-file.ts'
import type { Known, Prices } from './prices/prices.ts'
import { type LiveProvider, type Providers, rehearsalPrefix } from './providers.ts'

type Deps = { prices: Prices; providers: Providers; access: Access }
type Named = { kind: Provider['kind']; model: string }

const PricesQuestion = z.strictObject({ model: z.string().min(1).max(200).optional() })
const rowsMax = 2_000

export function priceRoutes({ prices, providers, access }: Deps): Router {
  return Router()
    .get('/api/prices', (request, response) => {
      const claims = userOf(response)
      access.assert(claims, 'usage:read', { type: 'Usage', id: claims.org, org: claims.org })
      const parsed = parse(PricesQuestion, { ...request.query })
      if (!parsed.ok) throw fault('usage/invalid', { problems: parsed.problems })
      const served = findServed(providers.all(), claims.org)
      const asked = toAsked(served, parsed.value.model)
      response.json(asked.map((named) => toRow(named, prices.known(named.kind, named.model))))
    })
    .post('/api/prices/check', json({ limit: '8mb' }), (request, response) => {
      const claims = userOf(response)
      access.assert(claims, 'usage:read', { type: 'Usage', id: claims.org, org: claims.org })
      const parsed = parsePriceFile(request.body)
      const checked: PriceCheck = parsed.ok
        ? { ok: true, models: parsed.value.length, problems: [] }
        : { ok: false, models: 0, problems: parsed.problems }
      response.json(checked)
    })
}

/** The models that an organisation's providers list, each once for every kind of provider. */
function findServed(providers: readonly LiveProvider[], org: string): Named[] {
  const own = providers.filter((provider) => provider.org === null || provider.org === org)
  const named = own.flatMap(({ kind, models }) => Array.from(models, (model) => ({ kind, model })))
  const byName = new Map(named.map((one) => [`${one.kind} ${one.model}`, one]))
  return [...byName.values()].slice(0, rowsMax)
}

function toAsked(served: readonly Named[], model: string | undefined): readonly Named[] {
  if (model === undefined) return served
  const found = served.filter((named) => named.model === model)
  return found.length > 0 ? found : [{ kind: guessKind(model), model }]
}

/** Of a model that nobody serves here. */
function guessKind(model: string): Provider['kind'] {
  if (model.startsWith(rehearsalPrefix)) return 'rehearsal'
  if (model.startsWith('claude')) return 'anthropic'
  return /^gem(ini|ma)/.test(model) ? 'gemini' : 'openai'
}

function toRow({ kind, model }: Named, known: Known): PriceRow {
  const { price, limits } = known
  return {
    kind,
    model,
    source: price?.source ?? null,
    tiers: (price?.tiers ?? []).map(({ above, rates }) => ({
      above,
      input: usdOf(rates.input),
      cached: usdOf(rates.cached),
      cacheWrite5m: usdOf(rates.cacheWrite5m),
      cacheWrite1h: usdOf(rates.cacheWrite1h),
      output: usdOf(rates.output),
      reasoning: usdOf(rates.reasoning),
    })),
    serverTools: Object.fromEntries(
      Array.from(known.serverTools, ([tool, { nanoUsd, usesMax }]) => [
        tool,
        { usd: nanoUsd / 1e9, usesMax: usesMax ?? null },
      ]),
    ),
    serviceTiers: Object.fromEntries(
      Array.from(known.serviceTiers, ([tier, permille]) => [tier, permille / 1_000]),
    ),
    contextTokensMax: limits?.contextTokensMax ?? null,
    outputTokensMax: limits?.outputTokensMax ?? null,
  }
}

const usdOf = (pico: number) => pico / 1e6
