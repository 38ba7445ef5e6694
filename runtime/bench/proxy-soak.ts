// The proxy under a steady mix of calls, some left by their clients: whether memory stays, and whether sockets go.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { leaveCalls } from './left-calls.ts'
import { type Peer, toTreadlePeer } from './peers.ts'
import { readAll, startProgram } from './processes.ts'
import type { Verdict } from './proxy-report.ts'
import { type Rig, rigCore } from './proxy-rig.ts'
import { clientHeaders, toPacedBody, toSessionBody, toSmallBody } from './requests.ts'
import type { SoakKind, SoakOptions, SoakResult } from './soak-load.ts'
import { countSockets } from './sockets.ts'
import { slope, toTable, toText } from './table.ts'
import { readStats } from './upstream-stats.ts'

const secondsQuick = 6
const warmShare = 1 / 3 // Of the time, in which a heap may still find its size.
const lookMs = 500
const leftCalls = 20
const leftMsMax = 50
const socketsMsMax = 15_000 // Idle connections to an upstream are kept for 4 s.
const largeBytes = 256 * 1_024
const growthShareMax = 0.05 // Of all memory, over the time that is measured: the collector's own ups and downs are 2 to 4 %.

export async function measureSoak(rig: Rig): Promise<Verdict[]> {
  const { split, isQuick, soakMinutes, place, say } = rig
  const [peer] = await rig.start(toTreadlePeer('treadle', split))
  const seconds = isQuick ? secondsQuick : soakMinutes * 60
  const options = toOptions(rig, peer!, seconds)
  const argv = [process.execPath, program, JSON.stringify(options)]
  await using load = startProgram(argv, { core: rigCore })
  const reading = readAll(load)
  const memory = watchMemory(peer!)
  await sleep(seconds * 500)
  const { url, keys } = peer!
  const closings = await leaveCalls({
    url,
    key: keys[0]!,
    upstream: place.upstream,
    calls: leftCalls,
  })
  split.books.expect(leftCalls)
  const result = JSON.parse(await reading) as SoakResult
  const points = memory
    .stop()
    .filter(([second]) => second > seconds * warmShare && second <= seconds)
  split.books.expect(result.calls)
  const ports = [url, place.upstream].map((of) => Number(new URL(of).port))
  const sockets = await untilNone(() => countSockets(split.pids(), ports))
  const { openPaced } = await readStats(place.upstream)
  const mean = points.reduce((sum, [, kb]) => sum + kb, 0) / points.length
  const growth = (slope(points) * (seconds - seconds * warmShare)) / mean
  const late = closings.filter((ms) => ms > leftMsMax).length
  const errors = Object.values(result.errors).reduce((sum, count) => sum + count, 0)
  say(
    toTable(
      ['', ''],
      [
        ['seconds', String(seconds)],
        ['calls, of them left by the client', `${result.calls}, ${result.left}`],
        ['errors', JSON.stringify(result.errors)],
        ['resident MB, mean', mean / 1_024],
        ['slope, KB a second', slope(points)],
        ['sockets at the end', String(sockets.count)],
        ['gone after, s', sockets.seconds],
        ['streams that the upstream still writes', String(openPaced)],
        ['left calls: upstream closed after, ms', closings.map(toText).join(' ')],
      ],
    ),
  )
  return [
    { what: 'soak: errors', figure: errors, most: 0 },
    {
      what: 'soak: growth of resident memory after the warm-up, share',
      figure: growth,
      most: growthShareMax,
    },
    { what: 'soak: sockets at the end', figure: sockets.count + openPaced, most: 0 },
    {
      what: `soak: of ${leftCalls} left calls, upstreams not closed within ${leftMsMax} ms`,
      figure: late,
      most: 0,
    },
  ]
}
const program = fileURLToPath(new URL('./soak-load.ts', import.meta.url))

function toOptions({ folder, keysFile }: Rig, peer: Peer, seconds: number): SoakOptions {
  const texts: Record<SoakKind, string> = {
    small: toSmallBody(),
    large: toSessionBody(largeBytes),
    stream: toSmallBody({ stream: true }),
    paced: toPacedBody('soak', 30),
    left: toPacedBody('soak-left', 100),
  }
  const files = Object.entries(texts).map(([kind, text]) => {
    const file = join(folder, `soak-${kind}`)
    writeFileSync(file, text)
    return [kind, file]
  })
  return {
    url: `${peer.url}/v1/messages`,
    headers: [...clientHeaders, ...peer.headers],
    keysFile: keysFile(peer),
    bodies: Object.fromEntries(files) as Record<SoakKind, string>,
    seconds,
  }
}

function watchMemory({ residentKb }: Peer) {
  const startedAt = performance.now()
  const points: [second: number, kb: number][] = []
  const looking = setInterval(
    () => points.push([(performance.now() - startedAt) / 1_000, residentKb()]),
    lookMs,
  )
  return {
    stop() {
      clearInterval(looking)
      return points
    },
  }
}

async function untilNone(count: () => number) {
  const startedAt = performance.now()
  let found = count()
  while (found > 0 && performance.now() - startedAt < socketsMsMax) {
    await sleep(100)
    found = count()
  }
  return { count: found, seconds: (performance.now() - startedAt) / 1_000 }
}
