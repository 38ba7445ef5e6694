// Every page of the console in every state worth a look: how to get there, and how to know that it is all there.
import type { Page } from 'playwright-core'
import type { Scene } from './scene.ts'

export type Look = {
  /** Names its pictures, and stands in the title of its test. */
  name: string
  path: string
  /** Resolves when it shows what it is for. */
  ready: (page: Page) => Promise<unknown>
}

const heading = (name: string) => (page: Page) =>
  page.getByRole('heading', { name, level: 1 }).waitFor()
const text = (words: string | RegExp) => (page: Page) => page.getByText(words).first().waitFor()

/** Before anything was made. */
export const emptyLooks: readonly Look[] = [
  { name: 'loops-empty', path: '/loops', ready: text('No loop yet') },
  { name: 'threads-empty', path: '/threads', ready: text('No conversation yet') },
  { name: 'sandboxes-empty', path: '/sandboxes', ready: text('No sandbox lives now') },
  { name: 'usage-empty', path: '/usage', ready: text(/No call in the last/) },
  { name: 'keys-empty', path: '/settings/keys', ready: text('No key yet') },
  { name: 'not-found', path: '/nowhere', ready: text('No such page') },
  { name: 'loop-not-found', path: '/loops/nothing', ready: text('No such loop') },
]

/** For whoever is not signed in; they need no script. */
export const closedLooks: readonly Look[] = [
  { name: 'door', path: '/', ready: text('treadle login-link') },
  { name: 'sign-in', path: '/auth/sign-in?code=abc', ready: text('The link works once') },
  { name: 'sign-in-refused', path: '/auth/sign-in?code=abc', ready: beRefused },
]

export const listLooks = (scene: Scene): Look[] => [
  { name: 'loops', path: '/loops', ready: text('upgrade-dependencies') },
  { name: 'loops-selected', path: '/loops', ready: selectLoops },
  { name: 'loops-filtered', path: '/loops?state=ended&q=flaky', ready: text('flaky-checkout') },
  { name: 'loops-none-found', path: '/loops?state=queued', ready: text('No loop matches') },
  { name: 'loop-new', path: '/loops/new', ready: text('As a file') },
  { name: 'loop-new-wrong', path: '/loops/new', ready: sendWrong },
  ...loopLooks('loop-done', scene.done, doneTabs),
  ...loopLooks('loop-running', scene.running, runningTabs),
  { name: 'loop-cancel', path: `/loops/${scene.running}`, ready: askToCancel },
  { name: 'threads', path: '/threads', ready: text(/messages/) },
  {
    name: 'threads-search',
    path: '/threads?q=tests',
    ready: (page) => page.locator('mark').first().waitFor(),
  },
  { name: 'threads-none-found', path: '/threads?q=zebra', ready: text('Nothing found') },
  { name: 'thread', path: `/threads/${scene.thread}`, ready: text('topmost open item') },
  { name: 'sandboxes', path: '/sandboxes?state=all', ready: text(scene.living) },
  { name: 'sandbox-living', path: `/sandboxes/${scene.living}`, ready: text('Take the keyboard') },
  { name: 'sandbox-ended', path: `/sandboxes/${scene.ended}`, ready: text('Walls:') },
  { name: 'usage', path: '/usage', ready: (page) => page.locator('canvas').waitFor() },
  { name: 'usage-by-loop', path: '/usage?by=loop&show=tokens', ready: text('word-count') },
  { name: 'settings-providers', path: '/settings/providers', ready: text('claude-opus-4-1') },
  { name: 'settings-provider-panel', path: '/settings/providers', ready: addProvider },
  { name: 'settings-keys', path: '/settings/keys', ready: text('Revoke') },
  { name: 'settings-sessions', path: '/settings/sessions', ready: text('this one') },
  { name: 'settings-about', path: '/settings/about', ready: text('LLM proxy') },
  { name: 'palette', path: '/loops', ready: openPalette },
  { name: 'notice', path: '/settings/sessions', ready: endOthers },
]

type Tabs = Readonly<Record<string, (page: Page) => Promise<unknown>>>
const doneTabs: Tabs = {
  story: (page) => page.getByRole('tabpanel').getByText('topmost open item').first().waitFor(),
  changes: (page) =>
    page
      .getByRole('region', { name: /word-count\.js/ })
      .first()
      .waitFor(),
  gates: (page) => page.getByRole('tabpanel').getByText('tests').first().waitFor(),
  terminal: (page) => page.getByRole('button', { name: 'As text' }).waitFor(),
  calls: (page) => page.getByRole('region', { name: 'Model calls' }).waitFor(),
}
const runningTabs: Tabs = {
  story: heading('upgrade-dependencies'),
  terminal: text('Take the keyboard'),
}

const loopLooks = (name: string, loop: string, tabs: Tabs): Look[] =>
  Object.entries(tabs).map(([tab, ready]) => ({
    name: `${name}-${tab}`,
    path: `/loops/${loop}?tab=${tab}`,
    ready,
  }))

async function selectLoops(page: Page) {
  await page.getByRole('checkbox', { name: 'Select word-count' }).check()
  await page.getByRole('checkbox', { name: 'Select upgrade-dependencies' }).check()
  await page.getByText('2 selected').waitFor()
}

async function sendWrong(page: Page) {
  await page.getByLabel('Name').first().fill('Word Count')
  await page.getByRole('button', { name: 'Start the loop' }).click()
  await page.locator('#field-name-wrong').waitFor()
}

async function askToCancel(page: Page) {
  await page.getByRole('button', { name: 'Cancel' }).click()
  await page.getByRole('dialog').waitFor()
}

async function addProvider(page: Page) {
  await page.getByRole('button', { name: 'Add a provider' }).first().click()
  await page.getByRole('dialog').waitFor()
}

async function openPalette(page: Page) {
  await heading('Loops')(page)
  await page.keyboard.press('Control+k')
  await page.keyboard.type('word')
  await page.getByRole('option', { name: /^Loop word-count/ }).waitFor()
}

async function endOthers(page: Page) {
  await page.getByRole('button', { name: 'Sign out all others' }).click()
  await page.locator('.notices p').waitFor()
}

async function beRefused(page: Page) {
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByText('Not signed in').waitFor()
}
