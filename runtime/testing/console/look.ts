// Looks at one page: by axe in both themes, at five widths, and in pictures for whoever wants to see.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { findFaults } from './axe.ts'
import type { Look } from './gallery.ts'

const widths = [360, 768, 1010, 1280, 2560]
const height = 800
type Where = { origin: string; pictures: string }

/** Fails with all that is wrong with it. */
export async function look(
  page: Page,
  { name, path, ready }: Look,
  { origin, pictures }: Where,
): Promise<void> {
  const wantsPictures = process.env['TREADLE_SCREENSHOTS'] !== undefined
  const picturedWidths = wantsPictures ? [360, 1280, 2000] : [1280]
  await page.setViewportSize({ width: 1280, height })
  await page.goto(new URL(path, origin).href)
  await ready(page)
  const faults: string[] = []
  for (const theme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' })
    faults.push(
      ...(await findFaults(page, theme === 'light' ? 'all' : 'colours')).map(
        (fault) => `${theme}: ${fault}`,
      ),
    )
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
