// A thousand streams at a model's pace at once, through a process that has just started: how late an event comes, and what a
// stream takes in memory.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { PacedOptions, PacedResult } from './paced-load.ts'
import { type Peer, startNginx, toDirect, toTreadlePeer } from './peers.ts'
import { readAll, startProgram } from './processes.ts'
import type { Verdict } from './proxy-report.ts'
import { type Rig, rigCore } from './proxy-rig.ts'
import { clientHeaders, toPacedBody } from './requests.ts'
import { type Cell, toRatio, toTable } from './table.ts'
import { startWhole } from './treadle.ts'

const whole = { streams: 1_000, events: 150, spreadMs: 3_000 } // Fifteen seconds, one event in a tenth of one.
const quick = { streams: 60, events: 20, spreadMs: 300 }
const lookMs = 250
const most = { p99ToNginx: 3, p99Ms: 20, kbPerStream: 30 }

type Paced = PacedResult & { peer: string; kbPerStream: number; cpuShare: number }

export async function measurePaced(rig: Rig): Promise<Verdict[]> {
  const { place, split, isQuick, say } = rig
  const size = isQuick ? quick : whole
  const bodyFile = join(rig.folder, 'paced')
  writeFileSync(bodyFile, toPacedBody('load', size.events))
  const whole_ = await startWhole({ place, keys: split.clients.length })
  const measured: Paced[] = []
  const run = async (...found: (Peer | { missing: string })[]) => {
    for (const peer of await rig.start(...found)) {
      await peer.treadle?.settled()
      measured.push(await measureOne(rig, peer, { ...size, bodyFile }))
    }
  }
  await run(toDirect(place), await startNginx(place, 'plain'))
  await run(toTreadlePeer('treadle', await split.startFresh()))
  await run(toTreadlePeer('treadle, all roles', whole_))
  say(await whole_.books.check('treadle, all roles'))
  const nginx = measured.find(({ peer }) => peer === 'nginx')
  say(
    toTable(
      head,
      measured.map((one) => toRow(one, nginx)),
    ),
  )
  return measured.flatMap((one) => toVerdicts(one, nginx, size.streams))
}

async function measureOne(
  rig: Rig,
  peer: Peer,
  size: { streams: number; spreadMs: number; bodyFile: string },
): Promise<Paced> {
  const options: PacedOptions = {
    ...size,
    url: `${peer.url}/v1/messages`,
    headers: [...clientHeaders, ...peer.headers],
    keysFile: rig.keysFile(peer),
  }
  const before = { kb: peer.residentKb(), cpu: peer.weigh?.().main ?? 0, at: performance.now() }
  await using load = startProgram([process.execPath, program, JSON.stringify(options)], {
    core: rigCore,
  })
  const reading = readAll(load)
  let highestKb = before.kb
  for (let isOver = false; !isOver; ) {
    isOver = (await Promise.race([reading, sleep(lookMs, null)])) !== null
    highestKb = Math.max(highestKb, peer.residentKb())
  }
  const result = JSON.parse(await reading) as PacedResult
  const cpu = (peer.weigh?.().main ?? 0) - before.cpu
  peer.treadle?.books.expect(result.done)
  return {
    ...result,
    peer: peer.name,
    kbPerStream: (highestKb - before.kb) / size.streams,
    cpuShare: cpu / (performance.now() - before.at),
  }
}
const program = fileURLToPath(new URL('./paced-load.ts', import.meta.url))

const head = [
  'gateway',
  'streams done',
  'refused at first',
  'events',
  'delay p50 ms',
  'p99 ms',
  'largest ms',
  'p99 to nginx',
  'KB a stream',
  'share of a core',
  'errors',
]

const toRow = (one: Paced, nginx: Paced | undefined): Cell[] => [
  one.peer,
  `${one.done}`,
  `${one.refused}`,
  `${one.events}`,
  ...[one.p50Ms, one.p99Ms, one.largestMs],
  toRatio(one.p99Ms, nginx?.p99Ms ?? Number.NaN),
  ...[one.kbPerStream, one.cpuShare],
  JSON.stringify(one.errors),
]

function toVerdicts(one: Paced, nginx: Paced | undefined, streams: number): Verdict[] {
  if (!one.peer.startsWith('treadle')) return []
  const beside = one.peer
  return [
    { what: `${streams} paced streams: not done`, figure: streams - one.done, most: 0, beside },
    { what: 'paced streams: refused at first', figure: one.refused, most: 0, beside },
    ...(nginx
      ? [
          {
            what: 'paced streams: p99 of the delay to nginx',
            figure: one.p99Ms / nginx.p99Ms,
            most: most.p99ToNginx,
            beside,
          },
        ]
      : []),
    { what: 'paced streams: p99 of the delay, ms', figure: one.p99Ms, most: most.p99Ms, beside },
    { what: 'paced streams: KB a stream', figure: one.kbPerStream, most: most.kbPerStream, beside },
  ]
}
