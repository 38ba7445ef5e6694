// A person at work in the console, in a real browser: each test is what somebody comes for.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import type { Key, KeyList } from '../auth/api.ts'
import type { Provider } from '../proxy/api.ts'
import type { LoopPage, NewLoopInput } from '../spool/api.ts'
import { startAppliance, type TestAppliance } from './appliance.ts'
import { startBrowser, type Visit, visit, withBrowser } from './browser.ts'
import { createDemoLoop, git } from './demo-loop.ts'

describe('a person in the console', withBrowser, () => {
  const owned = new AsyncDisposableStack()
  let treadle: TestAppliance
  let browser: Browser
  let visited: Visit
  let page: Page
  let folder: string
  let loop: NewLoopInput
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'treadle-work-'))
    treadle = owned.use(await startAppliance())
    browser = owned.use(await startBrowser())
    visited = await visit(browser, treadle)
    page = visited.page
    loop = await createDemoLoop(folder, 'word-count')
  })
  after(async () => {
    await owned.disposeAsync()
    rmSync(folder, { recursive: true, force: true })
  })

  const dialog = () => page.getByRole('dialog')
  const notice = (text: string | RegExp) => page.locator('.notices').getByText(text)

  test('an empty list of loops shows the command and the button that fill it', async () => {
    await page.getByText('No loop yet').waitFor()
    await page.getByText('npx --no-install treadle loop run loop.yaml').waitFor()
    await page.getByRole('main').getByRole('link', { name: 'New loop' }).first().click()
    await page.getByRole('heading', { name: 'New loop' }).waitFor()
  })

  test('a wrong field of a new loop is named where it stands, and nothing is started', async () => {
    await page.getByLabel('Name').first().fill('Word Count')
    await page.getByLabel('Repository').fill(join(folder, 'nowhere'))
    await page.getByRole('button', { name: 'Start the loop' }).click()
    await page
      .locator('#field-name-wrong')
      .getByText(/lower-case/)
      .waitFor()
    assert.equal(await page.getByLabel('Name').first().getAttribute('aria-invalid'), 'true')
    assert.equal((await treadle.client.get<LoopPage>('/api/loops')).total, 0)
  })

  test('a loop is started by the form, and its page shows it to its end by itself', async () => {
    const [gate] = loop.gates as { name: string; command: string[] }[]
    await page.getByLabel('Name').first().fill('word-count')
    await page.getByLabel('Repository').fill(loop.repository)
    await page.getByLabel('Agent').selectOption('builtin')
    await page.getByLabel('Model').fill(loop.model)
    await page.getByLabel('Prompt').fill(loop.prompt!)
    await page.getByLabel('Plan').fill(loop.plan!)
    await page.locator('#field-gates-0-name').fill(gate!.name)
    await page.locator('#field-gates-0-command').fill(gate!.command.join(' '))
    await page
      .getByRole('region', { name: 'As a file' })
      .getByText('model: rehearsal/word-count')
      .waitFor()
    await page.getByRole('button', { name: 'Start the loop' }).click()
    await page.getByRole('heading', { name: 'word-count', level: 1 }).waitFor()
    await page.getByText('Ended: done.').waitFor({ timeout: 90_000 })
    assert.equal(await page.getByRole('option', { name: /pass/i }).count(), 3)
    await page
      .getByText(/^treadle\/word-count-/)
      .first()
      .waitFor()
  })

  test('the diff of a pass is what git says', async () => {
    await page.getByRole('tab', { name: /Changes/ }).click()
    const region = page.getByRole('region', { name: /word-count\.js/ }).first()
    await region.getByText('longest.length').first().waitFor()
    const { items } = await treadle.client.get<LoopPage>('/api/loops')
    const branch = items[0]!.branch!
    const [added] = git(
      loop.repository,
      'diff',
      '--unified=0',
      `${branch}~1`,
      branch,
      '--',
      'word-count.js',
    )
      .split('\n')
      .filter((line) => /^\+[^+]/.test(line))
    const shown = (await region.textContent())!.replace(/\s+/g, ' ')
    assert.ok(shown.includes(added!.slice(1).trim().replace(/\s+/g, ' ')), `${added} in ${shown}`)
  })

  test('gates, calls and the recorded terminal of a pass are a tab away, each with an address', async () => {
    await page.getByRole('tab', { name: /Gates/ }).click()
    await page.getByRole('tabpanel').getByText('tests').first().waitFor()
    await page.getByRole('tab', { name: /Calls/ }).click()
    await page
      .getByRole('region', { name: 'Model calls' })
      .getByText('rehearsal/word-count')
      .first()
      .waitFor()
    await page.getByRole('tab', { name: /Terminal/ }).click()
    await page.getByRole('button', { name: 'As text' }).waitFor()
    assert.match(page.url(), /tab=terminal/)
    await page.reload()
    await page.getByRole('tab', { name: /Terminal/, selected: true }).waitFor()
  })

  test('a thread is found by its words, and opens where they stand', async () => {
    await page.getByRole('link', { name: 'Threads' }).click()
    await page.getByRole('searchbox').fill('topmost open item')
    const hits = page.getByRole('list', { name: 'Found' }).getByRole('listitem')
    await hits.first().locator('mark').first().waitFor()
    await hits.first().getByRole('link').first().click()
    await page.getByText('Found: topmost open item').waitFor()
    await page.getByText('Do the topmost open item').first().waitFor()
  })

  test('a provider is added with a key from a file, which no page shows again', async () => {
    const keyFile = join(folder, 'key.txt')
    writeFileSync(keyFile, 'sk-planted-4711\n')
    await page.goto(new URL('/settings/providers', treadle.url).href)
    await page.getByRole('button', { name: 'Add a provider' }).first().click()
    await dialog().getByLabel('Name').fill('local')
    await dialog().getByLabel('Or from a file').setInputFiles(keyFile)
    await dialog().getByLabel('Models').fill('some-model')
    await dialog().getByLabel('Base URL').fill('http://127.0.0.1:9')
    await dialog().getByRole('button', { name: 'Add it' }).click()
    await dialog()
      .getByText(/private/)
      .first()
      .waitFor() // Refused: an address of this machine, not asked for by name.
    await dialog()
      .getByLabel(/private address/)
      .check()
    await dialog().getByRole('button', { name: 'Add it' }).click()
    await notice('local is added.').waitFor()
    const row = page.getByRole('row', { name: /local/ })
    await row.getByText('some-model').waitFor()
    assert.ok(!(await page.content()).includes('sk-planted-4711'))
  })

  test('a provider that does not answer is told as such by its test, and changed in place', async () => {
    const row = page.getByRole('row', { name: /local/ })
    await row.getByRole('button', { name: 'Test' }).click()
    await row
      .getByRole('status')
      .getByText(/refused|connect|answer/i)
      .waitFor()
    await row.getByRole('button', { name: 'Change' }).click()
    await dialog().getByLabel('Models').fill('one\ntwo')
    await dialog().getByLabel('New key').fill('sk-second')
    await dialog().getByRole('button', { name: 'Change it' }).click()
    await row.getByText('one, two').waitFor()
    const { items } = await treadle.client.get<{ items: Provider[] }>('/api/providers')
    assert.deepEqual(items.find(({ name }) => name === 'local')!.models, ['one', 'two'])
  })

  test('a key is made, shown once, and revoked', async () => {
    await page.getByRole('link', { name: 'Keys' }).click()
    await page.getByRole('button', { name: 'Make a key' }).first().click()
    await dialog().getByLabel('Name').fill('ci')
    await dialog().getByRole('button', { name: 'Make it' }).click()
    const text = (await dialog().getByRole('code').textContent())!
    assert.equal((await me(treadle, text)).status, 200)
    await dialog().getByRole('button', { name: 'I have it' }).click()
    await page.getByRole('row', { name: /ci/ }).getByRole('button', { name: 'Revoke' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke it' }).click()
    await notice('ci is revoked.').waitFor()
    assert.equal((await me(treadle, text)).status, 401)
    const key = (await treadle.client.get<KeyList>('/api/keys')).items[0] as Key
    assert.ok(key.revokedAt)
  })

  test('the palette goes anywhere by keyboard alone', async () => {
    await page.keyboard.press('Control+k')
    await page.keyboard.type('usage')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Usage', level: 1 }).waitFor()
    await page.getByRole('row', { name: /rehearsal\/word-count/ }).waitFor()
    await page.keyboard.press('g')
    await page.keyboard.press('l')
    await page.getByRole('heading', { name: 'Loops', level: 1 }).waitFor()
    await page.getByRole('link', { name: 'word-count' }).waitFor()
    await page.keyboard.press('j')
    await page.keyboard.press('x')
    await page.getByText('1 selected').waitFor()
  })

  test('a filter stands in the address, and a loop that does not match is not shown', async () => {
    await page.getByRole('button', { name: 'Running' }).click()
    await page.getByText('No loop matches').waitFor()
    assert.match(page.url(), /state=running/)
    await page.getByRole('button', { name: 'Show all' }).click()
    await page.getByRole('link', { name: 'word-count' }).waitFor()
  })

  test('another browser is signed out from the list of sessions', async () => {
    await using other = await visit(browser, treadle)
    await page.goto(new URL('/settings/sessions', treadle.url).href)
    await page.getByRole('row', { name: /this one/ }).waitFor()
    await page.getByRole('button', { name: 'Sign out all others' }).click()
    await notice(/Signed out 1 other/).waitFor()
    await other.page.reload()
    await other.page.getByText('treadle login-link').first().waitFor()
  })

  test('signing out ends it, and what was shown is not reached by going back', async () => {
    await page
      .getByRole('contentinfo')
      .or(page.locator('.person'))
      .getByRole('button', { name: 'Sign out' })
      .click()
    await page.waitForURL((url) => url.pathname === '/')
    await page.goBack()
    await page.getByText('treadle login-link').first().waitFor()
  })

  test('nothing went wrong in any page meanwhile', () => {
    assert.deepEqual(visited.troubles, [])
  })
})

const me = (treadle: TestAppliance, key: string) =>
  fetch(new URL('/api/me', treadle.url), { headers: { authorization: `Bearer ${key}` } })
