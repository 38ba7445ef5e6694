// Runs every test: those of the whole Treadle (this folder) and those of its parts beside each other, two files at once of
// each. The first mostly wait, the second mostly compute: so two processors are busy, and no three whole ones crowd them.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

process.chdir(fileURLToPath(new URL('../../', import.meta.url)))
// Tests start Node some thousand times: what one of them compiled, the next ones find.
process.env['NODE_COMPILE_CACHE'] = `${process.cwd()}/node_modules/.cache/treadle/code`

const files = globSync('runtime/**/*.test.ts', { exclude: ['**/node_modules/**'] })
const isOfWhole = (file: string) => file.startsWith('runtime/testing/')
const flags = ['--test', '--test-concurrency=2', '--test-timeout=240000', '--test-reporter=spec']

const whole = startTests(files.filter(isOfWhole), 'inherit')
const parts = startTests(
  files.filter((file) => !isOfWhole(file)),
  'pipe', // Two reports at once are none: this one is shown after the other.
)
const said = text(parts.stdout!)
const ended = await Promise.all([once(whole, 'exit'), once(parts, 'exit')])
process.stdout.write(await said)
const failed = ['whole Treadle', 'parts'].filter((_, at) => ended[at]![0] !== 0)
if (failed.length > 0) process.stdout.write(`Tests of the ${failed.join(' and the ')} failed.\n`)
process.exitCode = failed.length > 0 ? 1 : 0

function startTests(of: readonly string[], stdout: 'inherit' | 'pipe') {
  return spawn(process.execPath, [...flags, ...of], { stdio: ['ignore', stdout, 'inherit'] })
}
