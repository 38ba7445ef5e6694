// Holders in a process of their own, for a test that kills it. Forked with a JSON argument.
import { openDatabase } from '#kernel/db.ts'
import { startHolder } from './holder.ts'

type Given = { url: string; folders: string[]; bill: string; clients: number; boundMax: number }

const { url, folders, bill, clients, boundMax } = JSON.parse(process.argv[2]!) as Given
process.once('disconnect', () => process.exit(1)) // The test is gone: so is its child.
const db = await openDatabase(url)
const holders = await Promise.all(folders.map((folder) => startHolder({ db, folder, bill })))
process.send!('ready')
const calls = holders.flatMap((holder) =>
  Array.from({ length: clients }, () => holder.client(boundMax)),
)
await Promise.all(calls)
process.send!('done')
