// The gateway's pages in a real browser: calls while they go on, where a call's time went, routes drawn, budgets as bars.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import type { MadeKey } from '../auth/api.ts'
import type { NewRouteInput, ProviderHealth } from '../proxy/routing/api.ts'
import { startAppliance, type TestAppliance } from './appliance.ts'
import { picturesFolder, startBrowser, type Visit, visit, withBrowser } from './browser.ts'
import { look } from './console/look.ts'

const model = 'gpt-5'
const text = (words: string | RegExp) => (page: Page) => page.getByText(words).first().waitFor()

const routes: NewRouteInput[] = [
  {
    name: 'spread',
    match: { models: ['gpt-5', 'gpt-5-mini'], stream: true, tags: { tier: 'gold' } },
    targets: [
      { provider: 'vendor', weight: 3, order: 0 },
      { provider: 'backup', model: 'gpt-5-2026', weight: 1, order: 0 },
    ],
    strategy: 'weighted',
    retry: { triesMax: 3, on: ['overloaded', 'rate-limited'] },
    affinity: 'session',
    pingS: 15,
  },
  {
    name: 'night',
    match: { models: ['claude-*'] },
    targets: [
      { provider: 'backup', weight: 1, order: 1 },
      { provider: 'vendor', weight: 1, order: 0 },
    ],
    strategy: 'order',
    retry: null,
    affinity: 'off',
    pingS: null,
  },
]
const healthOf = (name: string): ProviderHealth =>
  name === 'backup'
    ? {
        ...{ name, state: 'cooling', class: 'rate-limited', failures: 3, inFlight: 0 },
        ...{ coolingUntil: new Date(Date.now() + 20_000).toISOString(), callsMax: 8 },
      }
    : {
        ...{ name, state: 'good', class: null, failures: 0, coolingUntil: null },
        ...{ inFlight: 2, callsMax: null },
      }

describe('the pages of the gateway', withBrowser, () => {
  const owned = new AsyncDisposableStack()
  let treadle: TestAppliance
  let browser: Browser
  let visited: Visit
  let vendor: Awaited<ReturnType<typeof startVendor>>
  let key: string
  let pictures: string
  before(async () => {
    vendor = owned.use(await startVendor())
    treadle = owned.use(await startAppliance())
    pictures = picturesFolder(treadle)
    mkdirSync(pictures, { recursive: true })
    browser = owned.use(await startBrowser())
    visited = await visit(browser, treadle)
    await visited.page.context().route('**/api/providers/*/health', (route) => {
      const [, name = ''] = /providers\/([^/]+)\/health/.exec(route.request().url()) ?? []
      return route.fulfill({ json: healthOf(name) })
    })
  })
  after(() => owned.disposeAsync())

  const lookAt = async (name: string, path: string, ready: (page: Page) => Promise<unknown>) => {
    const tab = await visited.tab()
    await look(tab, { name, path, ready }, { origin: treadle.url, pictures })
    await tab.close()
  }
  const call = () =>
    fetch(new URL('/v1/chat/completions', treadle.proxyUrl), {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model, stream: true, messages: [{ role: 'user', content: 'hello' }] }),
    })

  test('say what fills them while nothing is there', async () => {
    await lookAt('gateway-live-empty', '/gateway', text('No call is in flight'))
    await lookAt('gateway-routes-empty', '/gateway/routes', text('No route yet'))
    await lookAt('gateway-budgets-empty', '/gateway/budgets', text('No budget yet'))
  })

  test('a call shows while it goes on, in place, and leaves when it has ended', async () => {
    const { client } = treadle
    await client.post('/api/providers', {
      ...{ name: 'vendor', kind: 'openai', key: 'sk-not-a-real-one', models: [model] },
      ...{ baseUrl: vendor.url, allowPrivate: true },
    })
    key = (await client.post<MadeKey>('/api/keys', { name: 'ci', expiresInDays: 1 })).key
    const tab = await visited.tab()
    await tab.goto(new URL('/gateway/live', treadle.url).href)
    await text('No call is in flight')(tab)
    await untilTaken(call)
    await tab.getByText('answering').waitFor()
    await lookAt('gateway-live', '/gateway/live', text('answering'))
    await tab.getByRole('main').getByRole('link', { name: model }).click()
    await tab.getByText('Where its time went').waitFor()
    await tab.getByText('running').waitFor()
    vendor.endAll()
    await tab.getByText('The answer').waitFor()
    await tab.getByText('done').waitFor()
    const id = tab.url().split('/').at(-1)!
    await lookAt('gateway-call', `/gateway/calls/${id}`, text('Waiting for the first byte'))
    await tab.goto(new URL('/gateway/live', treadle.url).href)
    await text('No call is in flight')(tab)
    await lookAt('gateway-call-absent', '/gateway/calls/nothing', text('No call has this id'))
    await tab.close()
  })

  test('a route is drawn with its weights, its order, and how its targets fare', async () => {
    const { client } = treadle
    await client.post('/api/providers', {
      ...{ name: 'backup', kind: 'openai', key: 'sk-not-a-real-one', models: [model] },
      ...{ baseUrl: vendor.url, allowPrivate: true },
    })
    for (const route of routes) await client.post('/api/routes', route)
    await lookAt('gateway-routes', '/gateway/routes', async (page) => {
      await text('75 %')(page)
      await text('cooling down')(page)
      const targets = page.getByRole('list', { name: 'Targets of night' }).getByRole('listitem')
      assert.match((await targets.first().textContent())!, /first.*vendor/s)
    })
    await lookAt('settings-providers-health', '/settings/providers', text('2 in flight'))
  })

  test('a budget is added, seen as a bar, raised and removed', async () => {
    const tab = await visited.tab()
    await tab.goto(new URL('/gateway/budgets', treadle.url).href)
    await tab.getByRole('button', { name: 'Add a budget' }).first().click()
    const panel = tab.getByRole('dialog')
    await panel.getByRole('button', { name: 'Add it' }).click()
    await panel.locator('.wrong').first().waitFor()
    await panel.getByLabel('Name').fill('all-of-us')
    await panel.getByLabel('Amount').fill('2.50')
    await panel.getByRole('button', { name: 'Add it' }).click()
    const bar = tab.getByRole('meter', { name: 'all-of-us, used' })
    await bar.waitFor()
    await tab.getByText('left of $2.50').waitFor()
    await tab.getByRole('button', { name: 'Raise all-of-us' }).click()
    await tab.getByLabel('New amount, in dollars').fill('4')
    await tab.getByRole('button', { name: 'Raise it' }).click()
    await tab.getByText('raised until').waitFor()
    await treadle.client.post('/api/budgets', {
      ...{ name: 'payments-tokens', level: 'team', subject: 'payments', unit: 'tokens' },
      ...{ amount: 1_000_000, window: 'day' },
    })
    await lookAt('gateway-budgets', '/gateway/budgets', text('team payments'))
    await tab.getByRole('button', { name: 'Remove all-of-us' }).click()
    await tab.getByRole('button', { name: 'Remove it' }).click()
    await bar.waitFor({ state: 'detached' })
    await tab.close()
  })

  test('a form for a budget fits and is clean', async () => {
    await lookAt('gateway-budget-form', '/gateway/budgets', async (page) => {
      await page.getByRole('button', { name: 'Add a budget' }).first().click()
      await page.getByRole('dialog').waitFor()
    })
  })

  test('usage is shown by team, by user and by key, each by its name', async () => {
    await lookAt('usage-by-key', '/usage?by=key', (page) =>
      page.getByRole('table', { name: 'Usage by key' }).getByText('ci').waitFor(),
    )
    await lookAt('usage-by-user', '/usage?by=user', (page) =>
      page.getByRole('table', { name: 'Usage by user' }).getByText('owner').waitFor(),
    )
    await lookAt('usage-by-team', '/usage?by=team', (page) =>
      page.getByRole('table', { name: 'Usage by team' }).getByText('no team').waitFor(),
    )
  })

  test('nothing went wrong in the pages that were looked at', () => {
    assert.deepEqual(visited.troubles, [])
  })

  const held: Response[] = [] // One that nobody holds is collected, and its call ends with it.
  /** A key is good a moment after it was made. */
  async function untilTaken(ask: () => Promise<Response>): Promise<void> {
    await treadle.until('a call that is taken', async () => {
      const response = await ask()
      held.push(response)
      if (response.status !== 200) await response.text()
      return response.status === 200
    })
  }
})

/** Answers with the beginning of a stream, and its end when it is told to. */
async function startVendor() {
  const open = new Set<ServerResponse>()
  const event = (data: object | string) =>
    `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`
  const choice = { index: 0, delta: { content: 'Hello' }, finish_reason: null }
  const server = createServer((request, response) => {
    request.resume()
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    setTimeout(() => response.write(event({ model, choices: [choice] })), 120)
    open.add(response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    endAll() {
      const usage = { prompt_tokens: 1_200, completion_tokens: 80, total_tokens: 1_280 }
      const last = { model, choices: [{ ...choice, delta: {}, finish_reason: 'stop' }], usage }
      for (const response of open) response.end(event(last) + event('[DONE]'))
      open.clear()
    },
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
    },
  }
}
