// A long run: `node runtime/proxy/lane/testing/fuzz-main.ts [messages] [seed]`. Exit code 1 = somebody reads a message in another way.
import { fuzz } from './fuzz.ts'

const messages = Number(process.argv[2] ?? 1_000_000)
const seed = Number(process.argv[3] ?? 1)
for (const kind of ['request', 'response'] as const) {
  const { taken, found } = fuzz({ kind, seed, messages })
  process.stdout.write(`${kind}: ${messages} messages, ${taken} taken, seed ${seed}\n`)
  if (!found) continue
  process.exitCode = 1
  process.stdout.write(
    `${found.by} disagrees: ${JSON.stringify(found.message.toString('latin1'))}\n`,
  )
  process.stdout.write(`${JSON.stringify(found.strict)}\n${JSON.stringify(found.other)}\n`)
}
