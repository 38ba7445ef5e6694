// An agent's terminal in two browsers: one types, one watches, both see the same, whatever the agent writes.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { findFreePort } from '../bench/free-port.ts'
import { startAppliance, type TestAppliance } from './appliance.ts'
import { startBrowser, type Visit, visit, withBrowser } from './browser.ts'
import { hostileOutput } from './console/hostile-output.ts'
import { linesOf, shows } from './console/screen.ts'
import { type ShellAgent, speakingPass, startShellAgent } from './console/shell-agent.ts'

const counted = 400
const cuts = 12
const counting = `n=0; while [ $n -lt ${counted} ]; do n=$((n + 1)); echo "line $n of it"; sleep 0.01; done`

/** Lets a test cut what the page has opened. */
const keepSockets = `
  const Plain = WebSocket
  globalThis.sockets = []
  globalThis.WebSocket = class extends Plain {
    constructor(...args) { super(...args); sockets.push(this) }
  }`

describe('a terminal in the console', withBrowser, () => {
  const owned = new AsyncDisposableStack()
  let treadle: TestAppliance
  let browser: Browser
  let agent: ShellAgent
  let writer: Visit
  let watcher: Visit
  before(async () => {
    const [port, proxyPort] = [await findFreePort(), await findFreePort()]
    treadle = owned.use(await startAppliance(`--port=${port}`, `--proxy-port=${proxyPort}`))
    browser = owned.use(await startBrowser())
    writer = await visit(browser, treadle)
    watcher = await visit(browser, treadle)
    agent = await startShellAgent(treadle, {
      scripts: { 'count.sh': counting, 'hostile.sh': hostileOutput },
    })
    for (const { page } of [writer, watcher]) {
      await page.addInitScript(keepSockets)
      await openTerminal(page)
    }
  })
  after(() => owned.disposeAsync())

  async function openTerminal(page: Page): Promise<void> {
    await page.goto(new URL(`/loops/${agent.loop}?tab=terminal`, treadle.url).href)
    await shows(page, 'ready')
  }
  const take = async (page: Page) => {
    await page.getByRole('button', { name: 'Take the keyboard' }).click()
    await page.getByText('You have the keyboard').waitFor()
  }
  const count = (page: Page) => page.evaluate<number>('sockets.length')
  const release = (page: Page) => page.getByRole('button', { name: 'Release the keyboard' })

  test('is watched by two, and typed into by the one who takes the keyboard', async () => {
    await take(writer.page)
    await watcher.page.getByText('Somebody else types').waitFor()
    await writer.page.keyboard.type('hello there\n')
    for (const { page } of [writer, watcher]) await shows(page, 'heard hello there')
  })

  test('takes no key from whoever only watches', async () => {
    await watcher.page.locator('.xterm-screen').click()
    await watcher.page.keyboard.type('not mine\n')
    await writer.page.locator('.xterm-screen').click()
    await writer.page.keyboard.type('after it\n')
    for (const { page } of [writer, watcher]) {
      await shows(page, 'heard after it')
      assert.doesNotMatch(await linesOf(page), /not mine/)
    }
  })

  test('changes hands by release and by taking over', async () => {
    await release(writer.page).click()
    await watcher.page.getByText('Watching').waitFor()
    await take(watcher.page)
    await watcher.page.keyboard.type('now me\n')
    await shows(writer.page, 'heard now me')
    await writer.page.getByText('Somebody else types').waitFor()
    await take(writer.page)
    await watcher.page.getByText('Somebody else types').waitFor()
    await writer.page.keyboard.type('me again\n')
    await shows(watcher.page, 'heard me again')
  })

  test('shows both the same, line by line', async () => {
    const [one, other] = await Promise.all([linesOf(writer.page), linesOf(watcher.page)])
    assert.equal(one, other)
    for (const said of ['hello there', 'after it', 'now me', 'me again']) {
      assert.equal(one.split(`heard ${said}`).length, 2, `${said} is heard once`)
    }
  })

  test('loses no line and doubles none when its connection is cut again and again', async () => {
    await writer.page.locator('.xterm-screen').click()
    await writer.page.keyboard.type('run count.sh\n')
    for (let cut = 1; cut <= cuts; cut += 1) {
      const wanted = Math.floor((counted * cut) / (cuts + 1))
      await treadle.until(`line ${wanted}`, async () => (await newestLine(watcher.page)) >= wanted)
      await watcher.page.evaluate('sockets.at(-1).close()')
      await treadle.until('another connection', async () => (await count(watcher.page)) > cut)
    }
    await treadle.until('the end', async () => (await newestLine(watcher.page)) === counted)
    const said = [...(await linesOf(watcher.page)).matchAll(/^line (\d+) of it$/gm)]
    assert.deepEqual(
      said.map(([, number]) => Number(number)),
      Array.from({ length: counted }, (_, index) => index + 1),
    )
  })

  test('is harmed by nothing that an agent writes', async () => {
    const { page } = writer
    const origin = new URL(treadle.url).origin
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'], { origin })
    await page.evaluate(`navigator.clipboard.writeText('mine')`)
    const title = await page.title()
    await page.locator('.xterm-screen').click()
    await page.keyboard.type('run hostile.sh\n')
    await page.keyboard.type('still here\n')
    for (const { page } of [writer, watcher]) await shows(page, 'heard still here')
    assert.equal(await page.evaluate('navigator.clipboard.readText()'), 'mine')
    assert.equal(await page.title(), title)
    assert.equal(await page.getByRole('tabpanel').locator('a, img, script, iframe').count(), 0)
    assert.equal(await page.evaluate('document.documentElement.scrollWidth > innerWidth'), false)
    assert.deepEqual([...writer.troubles, ...watcher.troubles], [])
  })

  test('comes back by itself after the server was killed, with the pass that is tried again', async () => {
    const before = await speakingPass(treadle, agent.loop)
    await treadle.stop('SIGKILL')
    await writer.page.getByText('The connection broke').waitFor()
    await treadle.start()
    const { sandbox } = await treadle.until('another attempt', async () => {
      const found = await speakingPass(treadle, agent.loop)
      return found.sandbox !== before.sandbox && found
    })
    for (const { page } of [writer, watcher]) {
      await page
        .getByRole('region', { name: `Terminal of sandbox ${sandbox}`, exact: true })
        .waitFor()
      await shows(page, 'ready')
      assert.equal((await linesOf(page)).split('ready').length, 2)
    }
    await take(watcher.page)
    await watcher.page.keyboard.type('back again\n')
    for (const { page } of [writer, watcher]) await shows(page, 'heard back again')
  })
})

/** Of what is in sight: a line is gone from the screen half a second later. */
const newestLine = async (page: Page): Promise<number> => {
  const shown = await page.evaluate<string>(`document.querySelector('.xterm-rows').textContent`)
  return Math.max(0, ...Array.from(shown.matchAll(/line (\d+) of it/g), ([, n]) => Number(n)))
}
