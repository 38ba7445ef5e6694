// A stage with two upstreams and a route over both.
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import type { TestPostgres } from '../../testing/postgres.ts'
import type { NewProviderInput } from '../api.ts'
import type { NewRouteInput, RetryClass, Route } from '../routing/api.ts'
import { clientKey, keyCheck, startStage, startUpstream, type Upstream } from './stage.ts'

export type Script = (response: ServerResponse) => void
export const json = (
  status: number,
  body: object | string,
  headers: Record<string, string> = {},
): Script => {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const all = { 'content-type': 'application/json', ...headers }
  return (response) => response.writeHead(status, all).end(text)
}
export const usage = { input_tokens: 1, output_tokens: 1 }
export const fine = json(200, { id: 'resp_1', status: 'completed', usage })

/** A key of another organisation. */
export const otherKey = 'trd_other-org-17aa'
export const retry = (...on: RetryClass[]) => ({ retry: { triesMax: 5, on } })

export const script = (upstream: Upstream, run: Script) => {
  upstream.state.script = (_request, response) => run(response)
}

const own = [
  ...['/api/providers/a', '/api/providers/b', '/api/routes/main', '/api/policies/org'],
  ...['/api/policies/key:key-1', '/api/policies/sandboxes'],
]

export async function startFork(
  postgres: TestPostgres,
  config: Parameters<typeof startStage>[0]['config'] = {},
) {
  await using starting = new AsyncDisposableStack()
  const second = starting.use(await startUpstream())
  const stage = starting.use(await startStage({ postgres, config }))
  stage.peers.keys.push(keyCheck(otherKey, { id: 'key-2', org: 'elsewhere', user: 'eve' }))
  let count = 0
  const started = starting.move()
  return {
    stage,
    second,
    /** As at the beginning. */
    async clear() {
      for (const path of own) await stage.admin('DELETE', path)
      for (const upstream of [stage.upstream, second]) {
        upstream.seen.length = 0
        script(upstream, fine)
      }
    },
    /** Providers `a` on the first upstream and `b` on the second, and a route over both. */
    async addRoute(route: Partial<NewRouteInput> = {}, more: Partial<NewProviderInput> = {}) {
      await stage.addProvider({ name: 'a', key: 'sk-a', ...more })
      await stage.addProvider({ name: 'b', key: 'sk-b', baseUrl: second.url.href, ...more })
      const targets = [{ provider: 'a' }, { provider: 'b', order: 1 }]
      const asked = { name: 'main', match: { models: ['m-*'] }, targets, ...route }
      const response = await stage.admin('POST', '/api/routes', asked)
      assert.equal(response.status, 201, await response.clone().text())
      return (await response.json()) as Route
    },
    /** One session a call, so that no call finds its way by an earlier one. */
    call(body: object = {}, path = '/v1/messages', headers: Record<string, string> = {}) {
      count += 1
      return fetch(new URL(path, stage.url), {
        method: 'POST',
        headers: { 'x-api-key': clientKey, 'x-session-id': `s-${count}`, ...headers },
        body: JSON.stringify({ model: 'm-1', ...body }),
      })
    },
    seen: () => [stage.upstream.seen.length, second.seen.length],
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}
export type Fork = Awaited<ReturnType<typeof startFork>>

export const errorOf = async (response: Response) =>
  ((await response.json()) as { error: { message: string; code?: string } }).error
