// What all rows of the proxy's measurement share: upstreams, Treadle, and where everything runs.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BenchOptions } from './main.ts'
import { type Peer, type Place, startOwnProgram, untilAnswers } from './peers.ts'
import { makeTlsFiles } from './tls-files.ts'
import { type Split, startSplit } from './treadle.ts'

const gatewayCore = 0
export const rigCore = 1 // The upstream and the load share the other one, with Treadle's other roles.
const keysOfRun = { whole: 1_000, quick: 40 } // An organisation's most.

/** What all rows work on. */
export type Rig = BenchOptions & {
  place: Place
  folder: string
  split: Split
  /** Writes a peer's keys for the load, and answers the file. */
  keysFile(peer: Peer): string
  /** Of those that can be started here; tells of the others. */
  start(...found: readonly (Peer | { missing: string })[]): Promise<Peer[]>
}

export async function setUpRig(options: BenchOptions, owned: AsyncDisposableStack): Promise<Rig> {
  const { isQuick, say } = options
  const folder = mkdtempSync(join(tmpdir(), 'bench-proxy-'))
  chmodSync(folder, 0o755) // nginx's worker is another user.
  owned.defer(() => rmSync(folder, { recursive: true, force: true }))
  const ca = makeTlsFiles(folder)
  const { url: upstream } = await startOwnProgram('mock-upstream', '', owned, rigCore)
  const { url: overTls } = await startOwnProgram('mock-upstream', folder, owned, rigCore)
  const tls = { upstream: overTls, ca, caFile: join(folder, 'ca.pem') }
  const place = { upstream, tls, owned, core: gatewayCore }
  const keys = isQuick ? keysOfRun.quick : keysOfRun.whole
  const split = await startSplit({ place, keys }, rigCore)
  say(`Treadle has ${keys} keys with a budget each, four budgets more, and a policy.`)
  return {
    ...options,
    ...{ place, folder, split },
    keysFile({ name, keys: ofPeer }) {
      const file = join(folder, `keys-${name.replaceAll(/\W+/g, '-')}`)
      writeFileSync(file, ofPeer.join('\n'))
      return file
    },
    async start(...found) {
      const peers = found.filter((peer) => {
        if ('missing' in peer) say(`left out: ${peer.missing}`)
        return !('missing' in peer)
      }) as Peer[]
      for (const peer of peers) await untilAnswers(peer)
      return peers
    },
  }
}
