// The `treadle` command as users type it, in a process of its own.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export const program = fileURLToPath(new URL('../cli/treadle.js', import.meta.url))

export async function runCommand(
  state: string,
  ...args: string[]
): Promise<{ exitCode: number; said: string }> {
  const child = spawn(process.execPath, [program, ...args, '--state', state])
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (said += data))
  const [exitCode] = (await once(child, 'close')) as [number]
  return { exitCode, said }
}
