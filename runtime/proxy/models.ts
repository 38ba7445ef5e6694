import type { Caller } from './caller.ts'
import { readModelPath } from './gemini-route.ts'
import { type LiveProvider, speaks } from './providers.ts'
import { Refusal } from './refusal.ts'

type Listed = { id: string; owner: string; createdAt: number }

export const isModelsPath = (path: string) => lists.has(path) || readModelPath(path) !== null

const lists = new Set(['/v1/models', '/v1beta/models'])

/** The models a caller may name, or one of them. Below /v1 in a form that all vendors' clients read. */
export function readModels(path: string, caller: Caller, providers: readonly LiveProvider[]) {
  const isGemini = path.startsWith('/v1beta/')
  const speaking = isGemini ? providers.filter(({ kind }) => speaks(kind, 'gemini')) : providers
  const found = listModels(caller, speaking)
  const named = readModelPath(path)
  if (named === null) return isGemini ? { models: found.map(toGeminiModel) } : toModelList(found)
  const one = found.find(({ id }) => id === named)
  if (!one) throw new Refusal('model/absent')
  return isGemini ? toGeminiModel(one) : toModel(one)
}

function listModels({ org, sandbox }: Caller, providers: readonly LiveProvider[]): Listed[] {
  const own = providers.filter((provider) => provider.org === null || provider.org === org)
  const listed = own.flatMap(({ models, name, createdAt }) =>
    [...models].filter((id) => !id.endsWith('*')).map((id) => ({ id, owner: name, createdAt })),
  )
  if (!sandbox) return listed
  const { model: id } = sandbox
  return [listed.find((one) => one.id === id) ?? { id, owner: '', createdAt: 0 }]
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
