// A real Chromium, signed in as a person is: by the link that a start prints.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import type { LoginLink } from '../auth/api.ts'
import type { TestAppliance } from './appliance.ts'

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const found = places.find((path) => existsSync(path))

/**
 * For `describe`: what lacks here, as the reason to leave its tests out. Continuous integration installs Chromium, so
 * there they must run.
 */
export const withBrowser: { skip: string | false } = {
  skip:
    found || process.env['CI']
      ? false
      : 'No Chromium is on this machine: `apt-get install chromium` and these tests run.',
}

export type Visit = AsyncDisposable & {
  page: Page
  /** What went wrong in the page so far: errors of scripts, and what the content security policy refused. */
  troubles: readonly string[]
  /** Another tab of the same browser. */
  tab(): Promise<Page>
}
export type VisitOptions = {
  theme?: 'light' | 'dark'
  width?: number
  height?: number
}

export const startBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: found ?? places[0]!,
    // Chromium's own sandbox needs a user other than root; /dev/shm is small in containers.
    args: ['--disable-dev-shm-usage', ...(process.getuid!() === 0 ? ['--no-sandbox'] : [])],
  })

/** Opens a link to sign in, presses its button, and answers on the page that follows. */
export async function visit(
  browser: Browser,
  treadle: TestAppliance,
  { theme = 'light', width = 1280, height = 800 }: VisitOptions = {},
): Promise<Visit> {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: theme,
    reducedMotion: 'reduce',
  })
  const troubles: string[] = []
  const page = await openTab(context, troubles)
  const { url } = await treadle.client.post<LoginLink>('/api/login-links', {})
  await page.goto(url)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('heading', { name: 'Loops', level: 1 }).waitFor()
  return {
    page,
    troubles,
    tab: () => openTab(context, troubles),
    [Symbol.asyncDispose]: () => context.close(),
  }
}

async function openTab(context: BrowserContext, troubles: string[]): Promise<Page> {
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
  page.on('pageerror', ({ message }) => troubles.push(message))
  page.on('console', (message) => {
    const text = message.text()
    // A request that was refused or cut is the page's to tell; what it can't tell is a fault of its own.
    const isRefusal = /^Failed to load resource|^WebSocket connection to .* failed/.test(text)
    if (message.type() === 'error' && !isRefusal) troubles.push(text)
  })
  return page
}

/** Where a test puts its pictures: `TREADLE_SCREENSHOTS`, else below the state that it made. */
export const picturesFolder = (treadle: TestAppliance) =>
  process.env['TREADLE_SCREENSHOTS'] ?? join(treadle.state, 'pictures')
