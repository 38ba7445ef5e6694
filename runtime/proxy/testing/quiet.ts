// What must be left when all calls of a test have ended: nothing. And the bounds that show it when something is.
import assert from 'node:assert/strict'
import type { BudgetUse, LiveCalls } from '../api.ts'
import { clientKey, type Stage, type Upstream, until } from './stage.ts'

const bodiesBytesMax = 512 * 1024
/** Bodies that are never let go of leave no room for the next one. */
export const tightBodies = {
  bodiesBytesMax: `${bodiesBytesMax}B`,
  bodyBytesMax: `${bodiesBytesMax}B`,
}

const idleMax = 64 // Connections that wait for their next call.

/** By the name of its unit, for the whole organisation. */
export async function addBudget(
  stage: Stage,
  unit: 'usd' | 'requests',
  amount: number,
  window: 'total' | 'hour' = 'total',
) {
  const budget = { name: unit, level: 'org', unit, amount, window }
  const response = await stage.admin('POST', '/api/budgets', budget)
  assert.equal(response.status, 201, await response.text())
}

const read = async <T>(stage: Stage, path: string) => {
  const response = await stage.admin('GET', path)
  assert.equal(response.status, 200, await response.clone().text())
  return (await response.json()) as T
}

export const readUse = (stage: Stage, name: string) =>
  read<BudgetUse>(stage, `/api/budgets/${name}/use`)

/** No call, no body, no held budget, and of connections to the upstream only those that are kept for the next call. */
export async function assertQuiet(stage: Stage, budgets: readonly string[] = []): Promise<void> {
  await until(async () => (await read<LiveCalls>(stage, '/api/calls/live')).items.length === 0)
  await until(async () => {
    const metrics = await stage.admin('GET', '/api/metrics')
    return /^treadle_proxy_in_flight 0$/m.test(await metrics.text())
  })
  for (const name of budgets) assert.equal((await readUse(stage, name)).reserved, 0, name)
  await until(() => stage.upstream.sockets.size <= idleMax)
  await assertServes(stage)
}

/** A call whose body is as large as all bodies may be. */
async function assertServes({ url, upstream }: { url: URL; upstream: Upstream }): Promise<void> {
  const { script } = upstream.state
  upstream.state.script = (_request, response) => response.end('{"usage":{"input_tokens":1}}')
  const head = '{"model":"m-1","max_tokens":1,"messages":[{"role":"user","content":"'
  const body = `${head}${'x'.repeat(bodiesBytesMax - head.length - 4)}"}]}`
  const headers = { 'x-api-key': clientKey, 'content-type': 'application/json' }
  const response = await fetch(new URL('/v1/messages', url), { method: 'POST', headers, body })
  assert.equal(response.status, 200, await response.text())
  upstream.state.script = script
}
