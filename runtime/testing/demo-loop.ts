import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import type { NewLoopInput } from '../spool/api.ts'
import { createDemoTask, type DemoName, toDemoLoop } from '../start/demo/demo.ts'

let made = 0

/** A repository of a demo task below `folder`, and the loop that does it, changed by `over`. */
export async function createDemoLoop(
  folder: string,
  name: DemoName,
  over: Partial<NewLoopInput> = {},
): Promise<NewLoopInput> {
  made += 1
  const repository = join(folder, `repository-${made}`)
  await createDemoTask(name, repository)
  return { ...toDemoLoop(name, repository), ...over }
}

export const git = (folder: string, ...args: string[]) =>
  execFileSync('git', ['-c', 'safe.directory=*', '-C', folder, ...args], {
    encoding: 'utf8',
  }).trim()
