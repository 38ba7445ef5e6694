// Runs Treadle: `npm start -- --help`. Exit codes: 0 drained, 1 failed at run time, 2 bad usage or configuration.
import { collectLessOften } from '#kernel/collector.ts'
import { toText } from '#kernel/parse.ts'
import { forbidCoreFiles } from './start/core-files.ts'
import { parseOptions, usage } from './start/options.ts'
import { runUntilStopped } from './start/run.ts'

process.umask(0o022) // What other uids must read is made readable; what they must not is made so by name.
collectLessOften()
forbidCoreFiles() // Before anything is known that is worth one.
const parsed = parseOptions(process.argv.slice(2), process.getuid!(), process.env)
if (parsed.kind === 'help') process.stdout.write(usage)
else if (parsed.kind === 'options') process.exitCode = await runUntilStopped(parsed.options)
else {
  process.stderr.write(`${toText(parsed.problems)}\n\n${usage}`)
  process.exitCode = 2
}
