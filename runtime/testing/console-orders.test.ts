// What a person tells Treadle from the console, and what they take away from it.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import type { Browser } from 'playwright-core'
import type { Call } from '../proxy/api.ts'
import type { LoopPage, Page } from '../spool/api.ts'
import { startAppliance, type TestAppliance } from './appliance.ts'
import { startBrowser, type Visit, visit, withBrowser } from './browser.ts'
import { connectDatabase } from './database.ts'
import { createDemoLoop } from './demo-loop.ts'

describe('a person in the console tells', withBrowser, () => {
  const owned = new AsyncDisposableStack()
  let treadle: TestAppliance
  let browser: Browser
  let visited: Visit
  let id: string
  before(async () => {
    treadle = owned.use(await startAppliance())
    browser = owned.use(await startBrowser())
    const slow = await createDemoLoop(treadle.state, 'fix-adder', { model: 'rehearsal/slow' })
    id = (await treadle.submit(slow)).id
    await treadle.until('its first call, which stays in flight', async () => {
      const { items } = await treadle.client.get<Page<Call>>('/api/calls')
      return items.length > 0
    })
    visited = await visit(browser, treadle)
  })
  after(() => owned.disposeAsync())
  const heading = (name: string) => visited.page.getByRole('heading', { name, level: 1 })

  test('the way to a running loop: the link, its button, and the name of the loop', async () => {
    await visited.page.getByRole('link', { name: 'fix-adder' }).click() // `visit` pressed the button.
    await heading('fix-adder').waitFor()
    await visited.page.getByText('running').first().waitFor()
  })

  test('a loop to pause, by a key, and to go on, by a button', async () => {
    const { page } = visited
    await page.keyboard.press('p')
    await page.getByRole('button', { name: 'Resume' }).waitFor()
    assert.equal((await treadle.loop(id)).isHeld, true)
    await page.getByRole('button', { name: 'Resume' }).click()
    await page.getByRole('button', { name: 'Pause' }).waitFor()
    assert.equal((await treadle.loop(id)).isHeld, false)
  })

  test('a loop to end, after a question, and what follows from it', async () => {
    const { page } = visited
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Leave it' }).click()
    assert.notEqual((await treadle.loop(id)).state, 'ended')
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel the loop' }).click()
    await page.getByText('Ended: cancelled.').waitFor()
    assert.equal((await treadle.ended(id)).ending, 'cancelled')
  })

  test('an ended loop to start again: a new one, which names the old one', async () => {
    const { page } = visited
    await page.getByRole('button', { name: 'Retry' }).click()
    await page.waitForURL((url) => !url.pathname.endsWith(id))
    await page.getByText(id.slice(0, 8)).first().waitFor()
    const { items } = await treadle.client.get<LoopPage>('/api/loops')
    assert.equal(items[0]!.retryOf, id)
  })

  test('many loops at once to end, from the list', async () => {
    const { page } = visited
    await page.getByRole('link', { name: 'Loops' }).first().click()
    const boxes = page.getByRole('checkbox', { name: 'Select fix-adder' })
    await boxes.nth(1).waitFor()
    for (const box of await boxes.all()) await box.check()
    await page.getByRole('button', { name: 'Cancel 1' }).click()
    await page.getByRole('button', { name: 'Cancel them' }).click()
    await treadle.until('the end of both', async () => {
      const { items } = await treadle.client.get<LoopPage>('/api/loops')
      return items.every(({ ending }) => ending === 'cancelled')
    })
  })

  test('the figures of usage to be saved, as they are in the ledger', async () => {
    const { page } = visited
    await page.goto(new URL('/usage', treadle.url).href)
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'Save CSV' }).click(),
    ])
    const [head, ...rows] = readFileSync(await download.path(), 'utf8')
      .trim()
      .split('\r\n')
    assert.match(head!, /^day,provider,model,loop,/)
    assert.ok(rows.length > 0 && rows.every((row) => row.includes('rehearsal/slow')), rows.join())
  })

  test('the organisation to change, and every tab leaves what belongs to the one before', async () => {
    await addOrganisation(treadle, 'second')
    const { page } = visited
    await page.goto(new URL(`/loops/${id}`, treadle.url).href)
    await heading('fix-adder').waitFor()
    const other = await visited.tab()
    await other.goto(new URL('/loops', treadle.url).href)
    await other.getByLabel('Organisation').selectOption('second')
    await other.getByText('No loop yet').waitFor()
    assert.equal(await page.getByRole('link', { name: 'fix-adder' }).count(), 0)
    await page.getByText('No loop yet').waitFor()
    await page.getByLabel('Organisation').selectOption('default')
    await page.getByRole('link', { name: 'fix-adder' }).first().waitFor()
  })

  test('nothing that goes wrong in a page', () => {
    assert.deepEqual(visited.troubles, [])
  })
})

/** There is no invitation yet: a second organisation of the owner is two rows. */
async function addOrganisation(treadle: TestAppliance, org: string): Promise<void> {
  await using db = await connectDatabase(treadle)
  await db.query('insert into auth.organisations (id) values ($1)', [org])
  await db.query(
    `insert into auth.memberships (org, user_id, role) values ($1, 'owner', 'owner')`,
    [org],
  )
}
