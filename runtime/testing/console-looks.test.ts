// Every page of the console, looked at: by axe in both themes, at four widths, and in pictures for whoever wants to see.
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import { startAppliance, type TestAppliance } from './appliance.ts'
import { picturesFolder, startBrowser, type Visit, visit, withBrowser } from './browser.ts'
import { closedLooks, emptyLooks, type Look, listLooks } from './console/gallery.ts'
import { look } from './console/look.ts'
import { createScene, type Scene } from './console/scene.ts'
import { countWire, type Loaded, sumBytes } from './console/wire.ts'

const wantsPictures = process.env['TREADLE_SCREENSHOTS'] !== undefined
const readmePictures = fileURLToPath(new URL('../console/pictures/', import.meta.url))
const readmeHeight = 720
const shownInReadme = [
  ['loop-done-story', 'light', 'loop-page.png'],
  ['loops', 'dark', 'loops.png'],
] as const
const firstLoadBytesMax = 200_000
const concurrency = 3 // Much of a look is waiting.
const askedMax = 6 // Of the API, to show a page.
const shownFirst = {
  Threads: /messages/,
  Sandboxes: /probes hold/,
  Usage: 'From the cache',
  Settings: 'claude-opus-4-1',
  Loops: 'upgrade-dependencies',
}
const nowhere: Scene = { done: '', running: '', thread: '', living: '', ended: '' }

describe('the looks of the console', withBrowser, () => {
  const owned = new AsyncDisposableStack()
  let treadle: TestAppliance
  let browser: Browser
  let visited: Visit
  let pictures: string
  let scene: Scene
  before(async () => {
    treadle = owned.use(await startAppliance('--parallel=5'))
    pictures = picturesFolder(treadle)
    mkdirSync(pictures, { recursive: true })
    browser = owned.use(await startBrowser())
    visited = await visit(browser, treadle)
  })
  after(async () => {
    if (wantsPictures) await pictureForReadme()
    await owned.disposeAsync()
  })

  describe('before anything was made', { concurrency }, () => {
    for (const look of emptyLooks) test(titleOf(look), () => lookAt(look))
  })

  test('something of everything is made', async () => {
    scene = await createScene(treadle)
  })

  describe('with something of everything', { concurrency }, () => {
    for (const { name } of listLooks(nowhere)) {
      test(titleOf({ name }), () => lookAt(listLooks(scene).find((look) => look.name === name)!))
    }
  })

  test('the first load is under 200 kB, packed, with neither terminal nor charts', async () => {
    const tab = await visited.tab()
    const loaded = await countWire(tab)
    await tab.goto(new URL('/loops', treadle.url).href)
    await tab.getByRole('link', { name: 'word-count' }).waitFor()
    await tab.waitForLoadState('load')
    const bytes = sumBytes(loaded)
    assert.ok(bytes > 20_000 && bytes < firstLoadBytesMax, `${bytes} bytes: ${toList(loaded)}`)
    await tab.close()
  })

  test('a page asks the API a few things, however much there is to show', async () => {
    const { page } = visited
    await page.goto(new URL('/loops', treadle.url).href)
    await page.getByRole('link', { name: 'word-count' }).waitFor()
    const asked: string[] = []
    page.on('request', (request) => {
      const { pathname } = new URL(request.url())
      if (pathname.startsWith('/api/')) asked.push(pathname)
    })
    const rooms = page.getByRole('navigation', { name: 'Rooms' })
    for (const [room, shown] of Object.entries(shownFirst)) {
      asked.length = 0
      await rooms.getByRole('link', { name: room }).click()
      await page.getByRole('main').getByText(shown).locator('visible=true').first().waitFor()
      assert.ok(asked.length > 0 && asked.length <= askedMax, `${room} asked ${asked}`)
    }
  })

  test('nothing went wrong in the pages that were looked at', () => {
    assert.deepEqual(visited.troubles, [])
  })

  describe('to whoever is not signed in', { concurrency }, () => {
    for (const wanted of closedLooks) {
      test(titleOf(wanted), async () => {
        await using context = await browser.newContext()
        await look(await context.newPage(), wanted, { origin: treadle.url, pictures })
      })
    }
  })

  async function pictureForReadme(): Promise<void> {
    for (const [look, theme, file] of shownInReadme) {
      const tab = await visited.tab()
      await tab.setViewportSize({ width: 1280, height: readmeHeight })
      await tab.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' })
      const { path, ready } = listLooks(scene).find(({ name }) => name === look)!
      await tab.goto(new URL(path, treadle.url).href)
      await ready(tab)
      await tab.screenshot({ path: join(readmePictures, file) })
    }
  }

  async function lookAt(wanted: Look): Promise<void> {
    const tab = await visited.tab()
    await look(tab, wanted, { origin: treadle.url, pictures })
    await tab.close()
  }
})

function titleOf({ name }: Pick<Look, 'name'>): string {
  return `the page ${name} is clean in both themes and fits every width`
}

const toList = (loaded: readonly Loaded[]) =>
  loaded.map(({ path, bytes }) => `${path} ${bytes}`).join(', ')
