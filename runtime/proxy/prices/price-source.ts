// Where prices come from: the file that ships, and the operator's own, which is looked at again and again. A file that is
// not right changes nothing: the one before it goes on, and the log and a count say so.
import { readFileSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import type { Logger } from '#kernel/log.ts'
import { type Problem, toText } from '#kernel/parse.ts'
import { startRepeating } from '#kernel/repeat.ts'
import type { ProxyConfig } from '../config.ts'
import { type PriceEntry, parsePriceFile } from './price-file.ts'
import { createPrices, type Prices } from './prices.ts'

const fileBytesMax = 8 * 1024 * 1024 // Some thousand models; more is another file.
const pollMs = 2_000 // One look at a file's date: as good as at once for a price.

export type PriceSource = AsyncDisposable & {
  prices: Prices
  /** How often the operator's file was taken over, and refused. */
  readonly counts: { taken: number; refused: number }
}
type Options = {
  config: Pick<ProxyConfig, 'prices' | 'pricesFile'>
  log: Logger
  now: () => Date
  everyMs?: number
}

/** Throws where the operator's file is wrong at the start: then there is none before it. */
export async function startPrices({
  config,
  log,
  now,
  everyMs = pollMs,
}: Options): Promise<PriceSource> {
  const prices = createPrices({ own: config.prices, shipped: readShipped(), now })
  const counts = { taken: 0, refused: 0 }
  const path = config.pricesFile
  if (path === null) return { prices, counts, [Symbol.asyncDispose]: async () => {} }
  let seen = await readStamp(path)
  prices.setFile(await readEntries(path))
  counts.taken += 1
  const look = async () => {
    const stamp = await readStamp(path).catch(() => 'gone')
    if (stamp === seen) return
    seen = stamp
    try {
      prices.setFile(await readEntries(path))
      counts.taken += 1
      log.info({ path }, 'took over the file of prices')
    } catch (error) {
      counts.refused += 1
      log.error({ error, path }, 'the file of prices is not right, so the one before it goes on')
    }
  }
  const repeating = startRepeating(look, everyMs, log)
  return { prices, counts, [Symbol.asyncDispose]: () => repeating[Symbol.asyncDispose]() }
}

export function readShipped(): readonly PriceEntry[] {
  const text = readFileSync(new URL('models.json', import.meta.url), 'utf8')
  const parsed = parsePriceFile(JSON.parse(text))
  if (!parsed.ok) throw new Error(`The shipped prices are wrong:\n${toText(parsed.problems)}`)
  return parsed.value
}

/** Moves with any change: an editor may put another file in the place of the old one within the same second. */
async function readStamp(path: string): Promise<string> {
  const { mtimeMs, size, ino } = await stat(path)
  return `${mtimeMs} ${size} ${ino}`
}

async function readEntries(path: string): Promise<readonly PriceEntry[]> {
  if ((await stat(path)).size > fileBytesMax) throw new Error(`${path} is larger than 8 MiB.`)
  const parsed = parsePriceText(await readFile(path, 'utf8'))
  if (!parsed.ok) throw new Error(`${path}:\n${toText(parsed.problems)}`)
  return parsed.value
}

type ParsedFile =
  | { ok: true; value: readonly PriceEntry[] }
  | { ok: false; problems: readonly Problem[] }

function parsePriceText(text: string): ParsedFile {
  try {
    return parsePriceFile(JSON.parse(text))
  } catch (error) {
    return { ok: false, problems: [{ path: '(file)', message: (error as Error).message }] }
  }
}
