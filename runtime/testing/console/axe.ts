// What axe-core finds wrong with a page as it stands: roles, names, contrast, order of headings.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { AxeResults } from 'axe-core'
import type { Page } from 'playwright-core'

const source = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8')
const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']
const scopes = {
  all: { type: 'tag', values: tags },
  /** What a theme can spoil. */
  colours: { type: 'rule', values: ['color-contrast', 'link-in-text-block'] },
} as const

/** One line a fault: the rule, the element, and what to do. */
export async function findFaults(page: Page, scope: keyof typeof scopes): Promise<string[]> {
  const isThere = await page.evaluate(() => 'axe' in globalThis)
  if (!isThere) await page.evaluate(source)
  const { violations } = await page.evaluate(
    (runOnly) =>
      (globalThis as unknown as { axe: { run(options: unknown): Promise<AxeResults> } }).axe.run({
        runOnly,
      }),
    scopes[scope],
  )
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`),
  )
}
