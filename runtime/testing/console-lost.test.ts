// What the console leans on goes away: it says so soon, in words, and goes on by itself when all is back.
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Browser, Page } from 'playwright-core'
import { findFreePort } from '../bench/free-port.ts'
import { startAppliance, type TestAppliance } from './appliance.ts'
import { picturesFolder, startBrowser, type Visit, visit, withBrowser } from './browser.ts'
import { findFaults } from './console/axe.ts'
import { speakingPass, startShellAgent } from './console/shell-agent.ts'
import { createDemoLoop } from './demo-loop.ts'
import { processesOf } from './traces.ts'

const toldMsMax = 3_000
const awayMs = 5_000

describe('a console that loses what it leans on', withBrowser, () => {
  const owned = new AsyncDisposableStack()
  let treadle: TestAppliance
  let browser: Browser
  let visited: Visit
  let page: Page
  let pictures: string
  before(async () => {
    const [port, proxyPort] = [await findFreePort(), await findFreePort()]
    treadle = owned.use(await startAppliance(`--port=${port}`, `--proxy-port=${proxyPort}`))
    pictures = picturesFolder(treadle)
    mkdirSync(pictures, { recursive: true })
    browser = owned.use(await startBrowser())
    visited = await visit(browser, treadle)
    page = visited.page
  })
  after(() => owned.disposeAsync())

  const told = (words: string | RegExp, on = page) =>
    on.getByText(words).first().waitFor({ timeout: toldMsMax })
  const gone = (words: string) => page.getByText(words).waitFor({ state: 'detached' })
  const go = (path: string, on = page) => on.goto(new URL(path, treadle.url).href)
  const picture = async (name: string) => {
    await page.screenshot({ path: join(pictures, `${name}.png`) })
    assert.deepEqual(await findFaults(page, 'all'), [])
  }
  /** A page that was loaded anew has forgotten it. */
  const mark = (on = page) => on.evaluate('globalThis.isOld = true')
  const assertNotReloaded = async (on = page) =>
    assert.equal(await on.evaluate('globalThis.isOld'), true, 'the page was loaded anew')

  test('tells within three seconds that the server was killed, and goes on without a reload', async () => {
    const { id } = await treadle.submit(await createDemoLoop(treadle.state, 'word-count'))
    await go(`/loops/${id}`)
    await mark()
    await treadle.until('a settled pass', async () => (await treadle.loop(id)).passes > 0)
    await treadle.stop('SIGKILL')
    await told('Treadle does not answer')
    await told('Not connected')
    await picture('lost-server')
    await treadle.start()
    await gone('Treadle does not answer')
    await page.getByText('Ended: done.').waitFor({ timeout: 60_000 })
    await assertNotReloaded()
    await assertWholeLoop(id)
  })

  test('tells within three seconds that the database is away, and goes on without a reload', async () => {
    const { id } = await treadle.submit(await createDemoLoop(treadle.state, 'word-count'))
    await go(`/loops/${id}`)
    await mark()
    await treadle.until('a settled pass', async () => (await treadle.loop(id)).passes > 0)
    const killing = killDatabase()
    await told('The database is away')
    await picture('lost-database')
    await killing
    await gone('The database is away')
    await page.getByText('Ended: done.').waitFor({ timeout: 60_000 })
    await assertNotReloaded()
    await assertWholeLoop(id)
  })

  test('tells what became of a sandbox that somebody deletes, on its page and on its loop', async () => {
    const { loop, sandbox } = await startShellAgent(treadle)
    const other = await visited.tab()
    await go(`/loops/${loop}?tab=terminal`, other)
    await other.getByRole('button', { name: 'Take the keyboard' }).waitFor()
    await go(`/sandboxes/${sandbox}`)
    await page.getByRole('button', { name: 'Delete' }).click()
    await page.getByRole('button', { name: 'Delete it' }).click()
    await told('It has ended, and nothing of it is left.')
    await told(/attempt 2|sandbox was lost|tried again/i, other)
    await assertComesBack(other, loop, sandbox)
    await treadle.client.post(`/api/loops/${loop}/cancel`, {})
    await other.close()
  })

  test('tells what became of a sandbox whose daemon was killed', async () => {
    const { loop, sandbox } = await startShellAgent(treadle)
    await go(`/sandboxes/${sandbox}`)
    await page.getByRole('button', { name: 'Take the keyboard' }).waitFor()
    for (const { pid } of processesOf(join(treadle.state, 'sandboxes', sandbox))) {
      tryKill(pid)
    }
    await told('It has ended, and nothing of it is left.')
    await go(`/loops/${loop}?tab=terminal`)
    await assertComesBack(page, loop, sandbox)
    await treadle.client.post(`/api/loops/${loop}/cancel`, {})
  })

  test('hands the live line to another tab of the same browser when its own closes', async () => {
    const [first, second] = [await visited.tab(), await visited.tab()]
    await page.close()
    for (const tab of [first, second]) {
      await go('/loops', tab)
      await tab.getByRole('heading', { name: 'Loops', level: 1 }).waitFor()
    }
    await mark(second)
    await first.close()
    const spec = await createDemoLoop(treadle.state, 'fix-adder', { name: 'seen-live' })
    await treadle.submit(spec)
    await second.getByRole('link', { name: 'seen-live' }).waitFor()
    await second
      .getByRole('row')
      .filter({ hasText: 'seen-live' })
      .getByText('done')
      .waitFor({ timeout: 60_000 })
    await assertNotReloaded(second)
    assert.deepEqual(visited.troubles, [])
  })

  /** What is shown beside what the API says: no pass is missing, and none is there twice. */
  async function assertWholeLoop(id: string): Promise<void> {
    const passes = await treadle.passes(id)
    const shown = await page.getByRole('option', { name: /pass/i }).allTextContents()
    const numbers = shown.map((text) => Number(/Pass\s*(\d+)/.exec(text)?.[1]))
    assert.deepEqual(
      numbers,
      passes.map(({ pass }) => pass),
    )
    assert.equal(await page.getByText('Ended: done.').count(), 1)
    for (const [at, { lastMessage }] of passes.entries()) {
      await page.getByRole('option', { name: /pass/i }).nth(at).click()
      const said = lastMessage!.split('\n')[0]!
      await page.getByRole('tabpanel').getByText(said).first().waitFor()
      assert.equal(await page.getByRole('tabpanel').getByText(said).count(), 1, said)
    }
  }

  async function assertComesBack(on: Page, loop: string, lost: string): Promise<void> {
    const { sandbox } = await treadle.until('another attempt', async () => {
      const found = await speakingPass(treadle, loop)
      return found.sandbox !== lost && found
    })
    await on.getByRole('region', { name: `Terminal of sandbox ${sandbox}`, exact: true }).waitFor()
    await on.getByRole('button', { name: 'Take the keyboard' }).waitFor()
  }

  /** Whenever it comes up, for a few seconds. */
  async function killDatabase(): Promise<void> {
    const file = join(treadle.state, 'postgres/data/postmaster.pid')
    for (const until = Date.now() + awayMs; Date.now() < until; await sleep(20)) {
      try {
        const pid = Number(readFileSync(file, 'utf8').split('\n')[0])
        if (readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('postgres')) tryKill(pid)
      } catch {
        // It is not up at this moment.
      }
    }
  }
})

function tryKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error // It has ended by itself.
  }
}
