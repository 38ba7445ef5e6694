// Writes the daemon, linked into one file, to standard output: `node link-main.ts FOLDER SEEN_AS`. A process of its
// own, because taking types away is new in Node and says so in the log of whoever does it.
import { join } from 'node:path'
import { linkDaemon } from './bundle.ts'

const [folder, seenAs] = process.argv.slice(2) as [string, string]
const entry = 'runtime/pod/main.ts'
process.stdout.write(
  linkDaemon({
    entry: join(folder, entry),
    kernel: join(folder, 'runtime/kernel'),
    packagesFrom: join(seenAs, entry),
  }),
)
