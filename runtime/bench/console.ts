// The console in a real browser, with 10,000 loops: what it loads, how soon a page has its data, how smoothly it scrolls.
import type { Page } from 'playwright-core'
import { startAppliance, type TestAppliance } from '../testing/appliance.ts'
import { startBrowser, visit, withBrowser } from '../testing/browser.ts'
import { insertLoopsLike } from '../testing/console/many-loops.ts'
import { countWire, sumBytes } from '../testing/console/wire.ts'
import { createDemoLoop } from '../testing/demo-loop.ts'
import type { BenchOptions } from './main.ts'
import { median, toTable } from './table.ts'

const manyLoops = 10_000
const fewLoops = 500
const framesScrolled = 300
const scrollPx = 120
const frameMs = 1_000 / 60

export async function benchConsole({ rounds, isQuick, say }: BenchOptions): Promise<void> {
  if (withBrowser.skip) return say(withBrowser.skip)
  await using treadle = await startAppliance()
  const loops = isQuick ? fewLoops : manyLoops
  const { id } = await treadle.submit(await createDemoLoop(treadle.state, 'word-count'))
  await treadle.ended(id)
  await insertLoopsLike(treadle, id, loops - 1)
  const browser = await startBrowser()
  await using owned = new AsyncDisposableStack()
  owned.defer(() => browser.close())
  const visited = owned.use(await visit(browser, treadle))

  const tab = await visited.tab()
  const loaded = await countWire(tab)
  const firstMs = await timed(async () => {
    await tab.goto(new URL('/loops', treadle.url).href)
    await tab.getByText('batch-1', { exact: true }).waitFor()
  })
  say(`first load: ${(sumBytes(loaded) / 1_000).toFixed(0)} kB packed, ${firstMs.toFixed(0)} ms`)
  await tab.close()

  say(
    toTable(
      ['ms from the click to the data', 'median', 'worst'],
      await timePages(visited.page, treadle, rounds),
    ),
  )
  const { frames, dropped } = await scroll(visited.page, treadle)
  say(`scrolling ${loops} loops: ${dropped} of ${frames} frames came late`)
}

/** Each page's data as a person sees it, by a click in the rail, once its code is there. */
async function timePages(page: Page, treadle: TestAppliance, rounds: number) {
  await page.goto(new URL('/loops', treadle.url).href)
  const rooms: Readonly<Record<string, () => Promise<unknown>>> = {
    Threads: () =>
      page
        .getByText(/messages/)
        .first()
        .waitFor(),
    Sandboxes: () => page.getByText('No sandbox lives now').waitFor(),
    Usage: () => page.getByRole('cell', { name: /word-count/ }).waitFor(),
    Settings: () => page.getByText('a script on this machine').waitFor(),
    Loops: () => page.getByText('batch-1', { exact: true }).waitFor(),
  }
  const times = new Map(Object.keys(rooms).map((name) => [name, [] as number[]]))
  for (let round = 0; round <= rounds; round += 1) {
    for (const [name, isThere] of Object.entries(rooms)) {
      const link = page.getByRole('navigation', { name: 'Rooms' }).getByRole('link', { name })
      const ms = await timed(async () => {
        await link.click()
        await isThere()
      })
      if (round > 0) times.get(name)!.push(ms) // The first one loads the page's code.
    }
  }
  return Array.from(times, ([name, all]) => [name, median(all), Math.max(...all)] as const)
}

async function scroll(page: Page, treadle: TestAppliance) {
  await page.goto(new URL('/loops', treadle.url).href)
  await page.getByText('batch-1', { exact: true }).waitFor()
  const gapsMs = await page.evaluate<number[]>(`new Promise((resolve) => {
    const box = document.querySelector('main .box')
    const gaps = []
    let last
    const step = (at) => {
      if (last !== undefined) gaps.push(at - last)
      last = at
      box.scrollTop += ${scrollPx}
      if (gaps.length < ${framesScrolled}) requestAnimationFrame(step)
      else resolve(gaps)
    }
    requestAnimationFrame(step)
  })`)
  return { frames: gapsMs.length, dropped: gapsMs.filter((ms) => ms > 1.5 * frameMs).length }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now()
  await work()
  return performance.now() - from
}
