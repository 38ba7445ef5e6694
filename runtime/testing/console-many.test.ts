// A list far longer than a screen: all of it is there, little of it is in the page, and nothing jumps.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { startAppliance, type TestAppliance } from './appliance.ts'
import { startBrowser, type Visit, visit, withBrowser } from './browser.ts'
import { insertLoopsLike } from './console/many-loops.ts'
import { createDemoLoop } from './demo-loop.ts'

const total = 10_000
const domRowsMax = 100
const rowPx = 36
const readMsMax = 60_000 // All pages, one after the other, on a busy machine.

describe('ten thousand loops', withBrowser, () => {
  const owned = new AsyncDisposableStack()
  let treadle: TestAppliance
  let browser: Browser
  let visited: Visit
  let page: Page
  before(async () => {
    treadle = owned.use(await startAppliance())
    const { id } = await treadle.submit(await createDemoLoop(treadle.state, 'fix-adder'))
    await treadle.ended(id)
    await insertLoopsLike(treadle, id, total - 1)
    browser = owned.use(await startBrowser())
    visited = await visit(browser, treadle)
    page = visited.page
    page.setDefaultTimeout(readMsMax)
  })
  after(() => owned.disposeAsync())

  const box = () => page.getByRole('rowgroup', { name: 'Loops' })
  const row = (name: string) => page.getByRole('row').filter({ hasText: new RegExp(`${name}\\b`) })
  const scrollTo = (index: number) =>
    box().evaluate((element, px) => {
      ;(element as unknown as { scrollTop: number }).scrollTop = px
    }, index * rowPx)
  const assertFewRows = async () => {
    const count = await page.getByRole('row').count()
    assert.ok(count > 0 && count < domRowsMax, `${count} rows are in the page`)
  }

  test('are counted, and only those in sight are in the page', async () => {
    await page.getByText('10,000 in all').waitFor()
    await row('batch-1').waitFor()
    await assertFewRows()
  })

  test('are read on the way when one scrolls to the middle', async () => {
    await scrollTo(5_000)
    await row('batch-5005').waitFor()
    assert.equal(await row('batch-5005').getAttribute('aria-rowindex'), '5006')
    await assertFewRows()
  })

  test('begin and end a key away, and j and k go through them', async () => {
    await box().focus()
    await page.keyboard.press('End')
    await row('batch-9999').waitFor({ timeout: 120_000 }) // Fifty pages are read on the way.
    await page.keyboard.press('k')
    await page.keyboard.press('x')
    await page.getByRole('checkbox', { name: 'Select batch-9998', checked: true }).waitFor()
    await assertFewRows()
    await page.keyboard.press('Home')
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'batch-1', level: 1 }).waitFor()
    await page.goBack()
  })

  test('stay under the eye while new ones come in above', async () => {
    await page.getByText('10,000 in all').waitFor()
    await scrollTo(1_000)
    await row('batch-1003').waitFor()
    const before = await row('batch-1003').boundingBox()
    await treadle.submit(await createDemoLoop(treadle.state, 'word-count', { name: 'newcomer' }))
    await page.getByText('10,001 in all').waitFor()
    assert.deepEqual(await row('batch-1003').boundingBox(), before)
    await scrollTo(0)
    await row('newcomer').waitFor()
  })

  test('are searched by name, and the list begins at its top', async () => {
    await scrollTo(2_000)
    await page.getByRole('searchbox', { name: 'Search loops' }).fill('batch-777')
    await page.getByText('11 found').waitFor()
    await row('batch-777').waitFor()
    assert.equal(await box().evaluate((element) => element.scrollTop), 0)
  })

  test('go wrong nowhere', () => {
    assert.deepEqual(visited.troubles, [])
  })
})
