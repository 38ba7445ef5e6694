// Where the running Treadle is, and the key that opens it: by the state folder, or as the person says.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { parse } from '#kernel/parse.ts'
import { Secret } from '#kernel/secret.ts'
import { failure } from './errors.ts'

/** What the starter writes into its state folder once it answers. */
const Instance = z.object({
  /** Null where this process runs without that role. */
  url: z.url().nullable(),
  proxyUrl: z.url().nullable(),
  pid: z.int().min(1),
  startedAt: z.string(),
})
export type Instance = z.infer<typeof Instance>
export type Access = { url: URL; token: Secret }

export type Place =
  | { kind: 'state'; folder: string }
  | { kind: 'remote'; url: string; keyFile: string }

export function findAccess(place: Place): Access {
  if (place.kind === 'remote') {
    return { url: toUrl(place.url), token: readSecret(place.keyFile, 'the key file') }
  }
  const { url, pid } = readInstance(place.folder)
  if (url === null) throw noFrontDoor(pid)
  return {
    url: new URL(url),
    token: readSecret(join(place.folder, 'owner.token'), "the owner's token"),
  }
}

function toUrl(text: string): URL {
  const url = URL.parse(text)
  if (url && /^https?:$/.test(url.protocol)) return url
  throw failure('cli/usage', `--url ${text} is no address. Write it as http://127.0.0.1:7400.`)
}

export function readInstance(folder: string): Instance {
  const path = join(folder, 'instance.json')
  const text = readText(path, `${path} is not there`)
  const instance = parse(Instance, toJson(text))
  if (!instance.ok) throw notRunning(`${path} is damaged`)
  if (!isAlive(instance.value.pid)) {
    throw notRunning(`its process ${instance.value.pid}, of ${instance.value.startedAt}, is gone`)
  }
  return instance.value
}

function readText(path: string, absent: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (isDenied(error)) throw notYours(path)
    throw notRunning(absent)
  }
}

const notRunning = (why: string) =>
  failure(
    'cli/no-instance',
    `No Treadle runs here: ${why}. Start one with npm start, name its folder with --state, or its address with --url and --key-file.`,
  )

const noFrontDoor = (pid: number) =>
  failure(
    'cli/no-instance',
    `Process ${pid} runs without a front door: its --role leaves auth out. Name the address of the process that has it with --url and --key-file.`,
  )

const notYours = (path: string) =>
  failure(
    'cli/no-instance',
    `${path} belongs to another user. Ask its owner for a key (treadle key create), and use it with --url and --key-file.`,
  )

const isDenied = (error: unknown) => (error as NodeJS.ErrnoException).code === 'EACCES'

function toJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // The schema says what is wrong.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' // Another user's, and alive.
  }
}

/** A credential from a file, without the line end that editors add. */
export function readSecret(path: string, what: string): Secret {
  let text: string
  try {
    text = readFileSync(path, 'utf8').trim()
  } catch (error) {
    throw failure('cli/file', `${path}, ${what}, can't be read: ${(error as Error).message}`)
  }
  if (text === '') throw failure('cli/file', `${path}, ${what}, is empty.`)
  if (/\s/.test(text))
    throw failure('cli/file', `${path}, ${what}, must hold one line and no more.`)
  return new Secret(text)
}
