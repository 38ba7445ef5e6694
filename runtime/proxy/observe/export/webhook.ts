// Calls that ended, posted to an address in batches, signed as https://www.standardwebhooks.com has it.
// **At least once.** What was taken and not answered comes again, in the same batch with the same `webhook-id`, or with
// newer calls in another one: each call's own `id` tells what one has.
import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import type { Logger } from '#kernel/log.ts'
import { Secret } from '#kernel/secret.ts'
import type { CallsExport } from '../../api.ts'
import type { Ledger } from '../../ledger.ts'
import type { Position } from '../../segments.ts'
import { readCursor, writeCursor } from './cursor.ts'
import { ExportRefused, type Follower, followLedger, type Piece } from './follow-ledger.ts'

type Options = {
  ledger: Ledger
  log: Logger
  stateFolder: string
  url: string
  secretFile: string
  batch: number
  backlogBytesMax: number
  now: () => Date
}
type Cursor = { at: Position }

const everyMs = 500
const firstWaitMs = 1_000 // Doubled with each failure in a row.
const waitMsMax = 300_000
const silentMsMax = 15_000

export function startWebhook(options: Options): Follower {
  const { ledger, log, stateFolder, url, backlogBytesMax, now } = options
  const secret = readSecret(options.secretFile)
  const cursorFile = join(stateFolder, 'export-webhook.json')
  const cursor = readCursor<Cursor>(cursorFile)
  let failures = 0

  const take = async ({ calls, next }: Piece, signal: AbortSignal) => {
    if (failures > 0) await sleep(toWaitMs(failures), undefined, { signal })
    const id = `msg_${calls[0]!.id}_${calls.at(-1)!.id}` // The same calls have the same name.
    const body = JSON.stringify({ type: 'calls.ended', calls } satisfies CallsExport)
    try {
      await post(url, sign(secret, id, now(), body), body, signal)
    } catch (error) {
      failures += 1
      throw error
    }
    failures = 0
    writeCursor(cursorFile, { at: next } satisfies Cursor)
  }
  const begin = (at: Position) => writeCursor(cursorFile, { at } satisfies Cursor)
  const [from, callsMax] = [cursor?.at, options.batch]
  return followLedger({ ledger, log, from, backlogBytesMax, callsMax, everyMs, begin, take })
}

const toWaitMs = (failures: number) => Math.min(waitMsMax, firstWaitMs * 2 ** (failures - 1))

async function post(
  url: string,
  headers: Record<string, string>,
  body: string,
  signal: AbortSignal,
): Promise<void> {
  const { statusCode, body: answer } = await request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
    signal,
    headersTimeout: silentMsMax,
    bodyTimeout: silentMsMax,
  })
  await answer.dump()
  if (statusCode >= 300) throw new ExportRefused(`It answered ${statusCode}.`)
}

/** HMAC-SHA256 over id, time and body, each parted by a dot. */
function sign(secret: Buffer, id: string, now: Date, body: string): Record<string, string> {
  const seconds = String(Math.floor(now.getTime() / 1_000))
  const mac = createHmac('sha256', secret).update(`${id}.${seconds}.${body}`).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': seconds, 'webhook-signature': `v1,${mac}` }
}

const secretCharsMin = 16

/** `whsec_` and base64 as that standard writes it, or any other line, taken as it is. */
function readSecret(path: string): Buffer {
  const text = new Secret(readFileSync(path, 'utf8').trim())
  const plain = text.reveal()
  if (plain.length < secretCharsMin)
    throw new Error(`${path} holds no secret of ${secretCharsMin} characters or more.`)
  return plain.startsWith('whsec_') ? Buffer.from(plain.slice(6), 'base64') : Buffer.from(plain)
}
