import type { Caller } from './caller.ts'
import type { LiveProvider } from './providers.ts'

/** The models a caller may name, in a form that the clients of both vendors read. */
export function toModelList({ org, sandbox }: Caller, providers: readonly LiveProvider[]) {
  const own = providers.filter((provider) => provider.org === null || provider.org === org)
  const listed = own.flatMap(({ models, name, createdAt }) =>
    [...models].filter((id) => !id.endsWith('*')).map((id) => ({ id, owner: name, createdAt })),
  )
  const found = sandbox
    ? [
        listed.find(({ id }) => id === sandbox.model) ?? {
          id: sandbox.model,
          owner: '',
          createdAt: 0,
        },
      ]
    : listed
  const data = found.map(toModel)
  const edges = { first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null }
  return { object: 'list', data, has_more: false, ...edges }
}

const toModel = ({ id, owner, createdAt }: { id: string; owner: string; createdAt: number }) => ({
  type: 'model',
  object: 'model',
  id,
  display_name: id,
  created: Math.floor(createdAt / 1_000),
  created_at: new Date(createdAt).toISOString(),
  owned_by: owner,
})
