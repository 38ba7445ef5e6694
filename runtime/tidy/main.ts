// What `npm test` asks before it runs a test: types and style, of all three at once, for each mostly uses one processor.
import { execFile } from 'node:child_process'

const checks = ['tsc -p .', 'npm run --silent check --workspace=runtime/console', 'biome ci .']
const charactersMax = 10_000_000 // Of what one check says.

for (const said of await Promise.all(checks.map(run))) process.stdout.write(said)

/** What a check said. One that fails makes this program fail, after the others had their say. */
function run(command: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  execFile('sh', ['-c', command], { maxBuffer: charactersMax }, (error, stdout, stderr) => {
    if (error) process.exitCode = 1
    resolve(`${stdout}${stderr}${error ? `${command} failed\n` : ''}`)
  })
  return promise
}
