// Every page of the console, looked at: by axe in both themes, at four widths, and in pictures for whoever wants to see.
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { startAppliance, type TestAppliance } from './appliance.ts'
import { picturesFolder, startBrowser, type Visit, visit, withBrowser } from './browser.ts'
import { findFaults } from './console/axe.ts'
import { emptyLooks, type Look, listLooks } from './console/gallery.ts'
import { createScene, type Scene } from './console/scene.ts'
import { countWire, type Loaded, sumBytes } from './console/wire.ts'

const widths = [360, 768, 1280, 2560]
const picturedWidths = process.env['TREADLE_SCREENSHOTS'] === undefined ? [1280] : [360, 1280, 2000]
const height = 800
const firstLoadBytesMax = 200_000
const askedMax = 6 // Of the API, to show a page.
const nowhere: Scene = { done: '', running: '', thread: '', living: '', ended: '' }

const closedPages = {
  door: '/',
  'sign-in': '/auth/sign-in?code=abc',
}

describe('the looks of the console', withBrowser, () => {
  let treadle: TestAppliance
  let browser: Browser
  let visited: Visit
  let page: Page
  let pictures: string
  let scene: Scene
  before(async () => {
    treadle = await startAppliance('--parallel=5')
    pictures = picturesFolder(treadle)
    mkdirSync(pictures, { recursive: true })
    browser = await startBrowser()
    visited = await visit(browser, treadle)
    page = visited.page
  })
  after(async () => {
    await browser?.close()
    await treadle?.[Symbol.asyncDispose]()
  })

  for (const look of emptyLooks) test(titleOf(look), () => lookAt(look))

  test('something of everything is made', async () => {
    scene = await createScene(treadle, treadle.state)
  })

  for (const { name } of listLooks(nowhere)) {
    test(titleOf({ name }), () => lookAt(listLooks(scene).find((look) => look.name === name)!))
  }

  test('the first load is under 200 kB, packed, with neither terminal nor charts', async () => {
    const tab = await visited.tab()
    const loaded = await countWire(tab)
    await tab.goto(new URL('/loops', treadle.url).href)
    await tab.getByText('word-count').first().waitFor()
    await tab.waitForLoadState('load')
    const bytes = sumBytes(loaded)
    assert.ok(bytes > 20_000 && bytes < firstLoadBytesMax, `${bytes} bytes: ${toList(loaded)}`)
    await tab.close()
  })

  test('a page asks the API a few things, however much there is to show', async () => {
    await page.setViewportSize({ width: 1280, height })
    await page.goto(new URL('/loops', treadle.url).href)
    await page.getByText('word-count').first().waitFor()
    const asked: string[] = []
    page.on('request', (request) => {
      const { pathname } = new URL(request.url())
      if (pathname.startsWith('/api/')) asked.push(pathname)
    })
    for (const room of ['Threads', 'Sandboxes', 'Usage', 'Settings', 'Loops']) {
      asked.length = 0
      await page
        .getByRole('navigation', { name: 'Rooms' })
        .getByRole('link', { name: room })
        .click()
      const title = room === 'Settings' ? 'Providers' : room
      await page.getByRole('heading', { name: title, level: 1 }).waitFor()
      await page
        .getByRole('main')
        .getByText(/rehearsal|ended|pass/)
        .first()
        .waitFor()
      assert.ok(asked.length > 0 && asked.length <= askedMax, `${room} asked ${asked}`)
    }
  })

  test('nothing went wrong in the pages that were looked at', () => {
    assert.deepEqual(visited.troubles, [])
  })

  for (const [name, path] of Object.entries(closedPages)) {
    test(`the page ${name}, which needs no script, is clean in both themes and fits every width`, async () => {
      const context = await browser.newContext({ viewport: { width: 1280, height } })
      page = await context.newPage()
      await lookAt({ name, path, ready: () => page.getByRole('main').waitFor() })
      await context.close()
    })
  }

  async function lookAt({ name, path, ready }: Look): Promise<void> {
    await page.setViewportSize({ width: 1280, height })
    await page.goto(new URL(path, treadle.url).href)
    await ready(page)
    const faults: string[] = []
    for (const theme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' })
      faults.push(...(await findFaults(page)).map((fault) => `${theme}: ${fault}`))
      for (const width of picturedWidths) {
        await page.setViewportSize({ width, height })
        await page.screenshot({ path: join(pictures, `${name}-${theme}-${width}.png`) })
      }
      await page.setViewportSize({ width: 1280, height })
    }
    for (const width of widths) {
      await page.setViewportSize({ width, height })
      faults.push(...(await findOverflow(page)).map((what) => `${width} px: ${what}`))
    }
    assert.deepEqual(faults, [])
  }
})

function titleOf({ name }: Pick<Look, 'name'>): string {
  return `the page ${name} is clean in both themes and fits every width`
}

const toList = (loaded: readonly Loaded[]) =>
  loaded.map(({ path, bytes }) => `${path} ${bytes}`).join(', ')

/** What is wider than the window, so that the page would scroll sideways. */
const findOverflow = (page: Page): Promise<string[]> =>
  page.evaluate(
    `new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(
      ['html', 'main', 'main .box', 'dialog[open]'].flatMap((name) => {
        const element = document.querySelector(name)
        const over = element ? element.scrollWidth - element.clientWidth : 0
        return over > 0 ? [name + ' is ' + over + ' px wider than the window'] : []
      })))))`,
  )
