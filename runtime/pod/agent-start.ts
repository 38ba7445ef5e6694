// From what weaver asks for to what can be started: the origin filled in, files written, the program found.
import { access, constants, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { AgentStart } from '../weaver/api.ts'
import { fault } from './errors.ts'
import type { Pod } from './pod.ts'

const placeholder = '{{origin}}'

export async function prepareAgent(pod: Pod, start: AgentStart) {
  const fill = fillOrigin(pod.activation?.origin)
  const argv = start.argv.map(fill)
  const files = start.files.map(({ path, content }) => ({ path, content: fill(content) }))
  const given = Object.entries(start.env).map(([name, value]) => [name, fill(value)])
  const token = pod.activation?.token
  const env: Record<string, string> = {
    ...pod.env,
    ...Object.fromEntries(given),
    ...(token && { TREADLE_TOKEN: token }),
  }
  await assertProgram(argv[0]!, env.PATH ?? '', pod.work)
  await writeFiles(pod.home, files)
  return { argv, env, cwd: pod.work }
}

const fillOrigin = (origin: string | null | undefined) => (text: string) => {
  if (!text.includes(placeholder)) return text
  if (!origin) throw fault('pod/no-line', { say: `${placeholder} can't be filled in.` })
  return text.replaceAll(placeholder, () => origin)
}

async function writeFiles(home: string, files: AgentStart['files']): Promise<void> {
  for (const { path, content } of files) {
    const file = join(home, path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, content, { mode: 0o600 })
  }
}

/** A terminal would show a missing program as an agent that failed; the caller should know better. */
async function assertProgram(name: string, path: string, cwd: string): Promise<void> {
  const folders = name.includes('/') ? [''] : path.split(':')
  for (const folder of folders) {
    if (await isExecutable(resolve(cwd, folder, name))) return
  }
  throw fault('pod/no-program', { say: `Looked for ${name}.` })
}

const isExecutable = (file: string) =>
  access(file, constants.X_OK).then(
    () => true,
    () => false,
  )
