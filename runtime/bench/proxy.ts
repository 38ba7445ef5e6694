// One model call through each gateway: the same calls, the same upstream, all that Treadle can check switched on.
import type { BenchOptions } from './main.ts'
import { startFloor, startNginx, startPortkey, toDirect, toTreadlePeer } from './peers.ts'
import { measurePaced } from './proxy-paced.ts'
import { tellVerdicts, type Verdict } from './proxy-report.ts'
import { type Rig, setUpRig } from './proxy-rig.ts'
import { measureSoak } from './proxy-soak.ts'
import { measureWorkers } from './proxy-workers.ts'
import { measureWorkloads } from './proxy-workloads.ts'
import { startWhole } from './treadle.ts'

const rows = {
  plain: measurePlain,
  tls: measureTls,
  paced: measurePaced,
  soak: measureSoak,
  workers: measureWorkers,
} as const
export type RowName = keyof typeof rows
export const rowNames = Object.keys(rows) as RowName[]

export async function benchProxy(options: BenchOptions): Promise<void> {
  await using owned = new AsyncDisposableStack()
  const rig = await setUpRig(options, owned)
  const verdicts: Verdict[] = []
  for (const name of rowNames.filter((one) => options.rows.includes(one))) {
    options.say(`\n## ${name}\n`)
    await using ofRow = new AsyncDisposableStack()
    verdicts.push(...(await rows[name]({ ...rig, place: { ...rig.place, owned: ofRow } })))
    options.say(await rig.split.books.check('treadle'))
  }
  tellVerdicts(verdicts, options.say)
}

async function measurePlain(rig: Rig): Promise<Verdict[]> {
  const { place, split } = rig
  const whole = await startWhole({ place, keys: split.clients.length })
  const peers = await rig.start(
    toDirect(place),
    await startNginx(place, 'plain'),
    await startFloor('floor-http', place),
    await startFloor('floor-undici', place),
    await startFloor('floor-lane', place),
    await startPortkey(place),
    toTreadlePeer('treadle', split),
    toTreadlePeer('treadle, all roles', whole),
  )
  const verdicts = await measureWorkloads(rig, peers, 'plain')
  rig.say(await whole.books.check('treadle, all roles'))
  return verdicts
}

async function measureTls(rig: Rig): Promise<Verdict[]> {
  const { place, split } = rig
  const peers = await rig.start(await startNginx(place, 'tls'), toTreadlePeer('treadle', split))
  return measureWorkloads(rig, peers, 'tls')
}
