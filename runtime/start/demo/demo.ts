// The demo's repositories and loops: what a first start shows without a key, a network or a vendor.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { NewLoopInput } from '../../spool/api.ts'
import type { DemoTask } from './demo-task.ts'
import { fixAdder } from './fix-adder.ts'
import { parseDuration } from './parse-duration.ts'
import { wordCount } from './word-count.ts'

export const demoNames = ['fix-adder', 'parse-duration', 'word-count'] as const
export type DemoName = (typeof demoNames)[number]

export const demoTasks: Readonly<Record<DemoName, DemoTask>> = {
  'fix-adder': fixAdder,
  'parse-duration': parseDuration,
  'word-count': wordCount,
}

export const toDemoLoop = (name: DemoName, repository: string): NewLoopInput => ({
  ...demoTasks[name].loop,
  repository,
})

/**
 * Makes a task's repository in `folder`, one commit on `main`. A folder that exists is left as it is,
 * and none is ever half made.
 */
export async function createDemoTask(name: DemoName, folder: string): Promise<void> {
  if (existsSync(folder)) return
  const draft = join(dirname(folder), `.${basename(folder)}.draft`)
  await rm(draft, { recursive: true, force: true }) // Of a start that was cut short.
  await mkdir(draft, { recursive: true })
  for (const [path, content] of Object.entries(demoTasks[name].files)) {
    await writeFile(join(draft, path), `${content}\n`)
  }
  await git(draft, 'init', '--quiet', '--initial-branch=main', '--template=')
  await git(draft, 'add', '--all')
  await git(draft, 'commit', '--quiet', '--no-gpg-sign', '--message', `${name}: as it was found`)
  await rename(draft, folder)
}

const someone = {
  NAME: 'Treadle demo',
  EMAIL: 'demo@treadle.invalid',
  DATE: '2026-01-01T00:00:00Z',
}
const toVariables = (role: string) =>
  Object.entries(someone).map(([key, value]) => [`GIT_${role}_${key}`, value])

// Nothing of the user's: no configuration, no hooks, no repository around. So the commit is always the same.
const gitVariables = {
  PATH: '/usr/local/bin:/usr/bin:/bin:/run/current-system/sw/bin',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  ...Object.fromEntries([...toVariables('AUTHOR'), ...toVariables('COMMITTER')]),
}

const gitMsMax = 30_000 // Four small files; a disk that takes longer is not working.

const git = (cwd: string, ...args: string[]) =>
  promisify(execFile)('git', args, { cwd, env: gitVariables, timeout: gitMsMax })
