import type { Page } from 'playwright-core'

/** Waits until a terminal's screen has these words. */
export const shows = (page: Page, words: string): Promise<void> =>
  page.locator('.xterm-rows').filter({ hasText: words }).waitFor()

/** All that a terminal holds, what has scrolled away included, with its wrapped lines put together. */
export async function linesOf(page: Page): Promise<string> {
  await page.getByRole('button', { name: 'As text' }).click()
  const text = await page.locator('pre[aria-label$="as text"]').textContent()
  await page.getByRole('button', { name: 'As terminal' }).click()
  return text ?? ''
}
