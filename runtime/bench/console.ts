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
const restMs = 500 // Nobody clicks sooner, and what the page before asked for has come.

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
  const late = await scroll(visited.page, treadle)
  say(
    `scrolling ${loops} loops, ${scrollPx} px a frame: ${late.list} of ${framesScrolled} frames came late; ` +
      `an empty box of that height: ${late.floor}`,
  )
}

/** What a page's heading says, and what only its data says. */
const rooms: Readonly<Record<string, { heading: string; data: string }>> = {
  Threads: { heading: 'Threads', data: ' messages' },
  Sandboxes: { heading: 'Sandboxes', data: 'No sandbox lives now' },
  Usage: { heading: 'Usage', data: 'word-count' },
  Settings: { heading: 'Providers', data: 'a script on this machine' },
  Loops: { heading: 'Loops', data: 'batch-1' },
}

/**
 * Each page's data as a person sees it, by a click in the rail, once its code is there. Timed inside the page: a driver
 * that looks from outside looks again after 100 ms, and then after 500.
 */
async function timePages(page: Page, treadle: TestAppliance, rounds: number) {
  await page.goto(new URL('/loops', treadle.url).href)
  const times = new Map(Object.keys(rooms).map((name) => [name, [] as number[]]))
  for (let round = 0; round <= rounds; round += 1) {
    for (const [name, { heading, data }] of Object.entries(rooms)) {
      await page.waitForTimeout(restMs)
      const ms = await page.evaluate<number>(timeClick(name, heading, data))
      if (round > 0) times.get(name)!.push(ms) // The first one loads the page's code.
    }
  }
  return Array.from(times, ([name, all]) => [name, median(all), Math.max(...all)] as const)
}

const timeClick = (
  ...words: [name: string, heading: string, data: string]
) => `new Promise((resolve) => {
  const [name, heading, data] = ${JSON.stringify(words)}
  const from = performance.now()
  const look = () => {
    if (document.querySelector('main h1')?.textContent !== heading) return
    if (document.querySelector('main').textContent.includes(data)) resolve(performance.now() - from)
  }
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true })
  const links = [...document.querySelectorAll('nav[aria-label="Rooms"] a')]
  links.find((link) => link.textContent.trim() === name).click()
})`

/** The list, and beside it an empty box of the same height: what this machine's browser can do at all. */
async function scroll(page: Page, treadle: TestAppliance) {
  await page.goto(new URL('/loops', treadle.url).href)
  await page.getByText('batch-1', { exact: true }).waitFor()
  await page.waitForTimeout(restMs)
  const list = await page.evaluate<number[]>(countFrames(`document.querySelector('main .box')`))
  const floor = await page.evaluate<number[]>(countFrames(emptyBox))
  return { list: lateOf(list), floor: lateOf(floor) }
}

const lateOf = (gapsMs: readonly number[]) => gapsMs.filter((ms) => ms > 1.5 * frameMs).length

const emptyBox = `(() => {
  const [box, inside] = [document.createElement('div'), document.createElement('div')]
  Object.assign(box.style, { position: 'fixed', inset: '0', overflow: 'auto', zIndex: '99', background: 'white' })
  inside.style.height = document.querySelector('main .space').style.height
  box.append(inside)
  document.body.append(box)
  return box
})()`

const countFrames = (box: string) => `new Promise((resolve) => {
  const box = ${box}
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
})`

async function timed(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now()
  await work()
  return performance.now() - from
}
