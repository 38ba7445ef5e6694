// All that an organisation of many clients has set: what every call is checked against in these measurements.
import type { MadeKey, Me } from '../auth/api.ts'
import type { NewBudgetInput } from '../proxy/api.ts'
import type { NewPolicyInput } from '../proxy/policy/api.ts'
import type { Owner } from './owner.ts'
import type { Place } from './peers.ts'
import { plainModel, tlsModel } from './requests.ts'

const atOnce = 4
const modelsListed = 20
const plenty = 9_000_000_000_000_000 // Never reached: a hundredth of it is leased ahead, as of every budget.

type Options = { client: Owner; place: Pick<Place, 'upstream' | 'tls'>; keys: number }

/** Providers, so many API keys with a budget each, budgets of four more kinds, and a policy. Answers the keys. */
export async function setUpFeatures({ client, place, keys: count }: Options): Promise<MadeKey[]> {
  const { upstream, tls } = place
  const mock = { kind: 'anthropic', key: 'sk-vaulted', allowPrivate: true }
  await client.post('/api/providers', {
    ...{ ...mock, name: 'mock', baseUrl: upstream, models: [plainModel] },
  })
  await client.post('/api/providers', {
    ...{ ...mock, name: 'mock-tls', baseUrl: tls.upstream, ca: tls.ca, models: [tlsModel] },
  })
  const { user } = await client.get<Me>('/api/me')
  const shared: NewBudgetInput[] = [
    toBudget('org-usd', { level: 'org' }),
    toBudget('org-tokens', { level: 'org', unit: 'tokens', window: 'day' }),
    toBudget('user-usd', { level: 'user', subject: user }),
    toBudget('model-usd', { level: 'model', subject: 'claude-*', window: 'week' }),
  ]
  for (const budget of shared) await client.post('/api/budgets', budget)
  await putPolicy(client)
  const names = Array.from({ length: count }, (_, index) => `client-${index}`)
  const made = await eachOf(names, (name) => client.post<MadeKey>('/api/keys', { name }))
  await eachOf(made, ({ id, name }) =>
    client.post('/api/budgets', toBudget(name, { level: 'key', subject: id, window: 'day' })),
  )
  return made
}

export const toBudget = (
  name: string,
  rest: Partial<NewBudgetInput> & Pick<NewBudgetInput, 'level'>,
): NewBudgetInput => ({ name, unit: 'usd', amount: plenty, window: 'month', ...rest })

async function putPolicy({ put }: Owner): Promise<void> {
  const others = Array.from({ length: modelsListed }, (_, index) => `other-model-${index}`)
  const policy: NewPolicyInput = {
    models: { allow: [...others, plainModel, tlsModel], deny: ['claude-opus-4-1*'] },
    tools: { allow: null, deny: ['computer*'] },
    serverTools: { allow: [], deny: [] },
    outputTokensMax: 64_000,
  }
  await put('/api/policies/org', policy)
}

async function eachOf<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  let next = 0
  const run = async () => {
    for (let at = next++; at < items.length; at = next++) results[at] = await work(items[at]!)
  }
  await Promise.all(Array.from({ length: atOnce }, run))
  return results
}
