import type { Caller } from './caller.ts'
import { readModelPath } from './gemini-route.ts'
import { isModelAllowed } from './policy/verdict.ts'
import { type LiveProvider, speaks } from './providers.ts'
import { Refusal } from './refusal.ts'
import type { Route } from './routing/api.ts'
import type { RulesInMemory } from './routing/router.ts'

type Listed = { id: string; owner: string; createdAt: number }

export const isModelsPath = (path: string) => lists.has(path) || readModelPath(path) !== null

const lists = new Set(['/v1/models', '/v1beta/models'])

/** The models a caller may name, or one of them. Below /v1 in a form that all vendors' clients read. */
export function readModels(
  path: string,
  caller: Caller,
  providers: readonly LiveProvider[],
  rules: RulesInMemory,
) {
  const isGemini = path.startsWith('/v1beta/')
  const speaking = isGemini ? providers.filter(({ kind }) => speaks(kind, 'gemini')) : providers
  const found = listModels(caller, speaking, rules)
  const named = readModelPath(path)
  if (named === null) return isGemini ? { models: found.map(toGeminiModel) } : toModelList(found)
  const one = found.find(({ id }) => id === named)
  if (!one) throw new Refusal('model/absent')
  return isGemini ? toGeminiModel(one) : toModel(one)
}

function listModels(
  caller: Caller,
  providers: readonly LiveProvider[],
  rules: RulesInMemory,
): Listed[] {
  const { org, sandbox } = caller
  const own = providers.filter((provider) => provider.org === null || provider.org === org)
  const listed = own.flatMap(({ models, name, createdAt }) =>
    [...models].filter((id) => !id.endsWith('*')).map((id) => ({ id, owner: name, createdAt })),
  )
  const all = [...listed, ...listRouted(rules.routesOf(org), own, listed)]
  const scoped = rules.scopedOf(caller)
  if (!sandbox) return all.filter(({ id }) => isModelAllowed(scoped, id))
  const { model: id } = sandbox
  return [all.find((one) => one.id === id) ?? { id, owner: '', createdAt: 0 }]
}

/** Names that routes alone know, where one of their targets is there. */
function listRouted(
  routes: readonly Route[],
  own: readonly LiveProvider[],
  listed: readonly Listed[],
): Listed[] {
  const known = new Set(listed.map(({ id }) => id))
  return routes.flatMap(({ match, targets, createdAt }) => {
    const target = targets.find(({ provider }) => own.some(({ name }) => name === provider))
    const names = match.models.filter((id) => !id.endsWith('*') && !known.has(id))
    if (!target) return []
    for (const id of names) known.add(id)
    return names.map((id) => ({ id, owner: target.provider, createdAt: Date.parse(createdAt) }))
  })
}

function toModelList(found: readonly Listed[]) {
  const data = found.map(toModel)
  const edges = { first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null }
  return { object: 'list', data, has_more: false, ...edges, models: found.map(toGeminiModel) }
}

const toModel = (listed: Listed) => ({
  type: 'model',
  object: 'model',
  id: listed.id,
  display_name: listed.id,
  created: Math.floor(listed.createdAt / 1_000),
  created_at: new Date(listed.createdAt).toISOString(),
  owned_by: listed.owner,
  ...toGeminiModel(listed),
})

/** Without limits, which nobody here knows. */
const toGeminiModel = ({ id }: Listed) => ({
  name: `models/${id}`,
  displayName: id,
  supportedGenerationMethods: ['generateContent', 'countTokens'],
})
