// Where Treadle would live: its ports and its state folder.
import { once } from 'node:events'
import { accessSync, constants, existsSync, statfsSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname } from 'node:path'
import { readInstance } from '../instance.ts'
import type { Finding } from './findings.ts'

const ports = [
  { name: 'port 7400', port: 7400, flag: '--port' },
  { name: 'port 7401', port: 7401, flag: '--proxy-port' },
]

export const findPorts = (stateFolder: string): Promise<Finding[]> =>
  Promise.all(
    ports.map(async ({ name, port, flag }): Promise<Finding> => {
      if (await isFree(port)) return { name, state: 'good', detail: 'free' }
      if (runsAt(stateFolder, port)) return { name, state: 'good', detail: 'this Treadle has it' }
      const fix = `end what has it (ss -ltnp), or start with ${flag} and another number`
      return { name, state: 'weaker', detail: 'in use', cost: 'npm start needs another port', fix }
    }),
  )

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
    return true
  } catch {
    return false // In use, or forbidden: it can't be had.
  } finally {
    server.close()
  }
}

function runsAt(stateFolder: string, port: number): boolean {
  try {
    const { url, proxyUrl } = readInstance(stateFolder)
    return [url, proxyUrl].some((each) => each !== null && Number(new URL(each).port) === port)
  } catch {
    return false // Nothing runs from there.
  }
}

const freeBytesMin = 2 * 1024 ** 3 // The installed agents, a database, and some workspaces.

export function findState(folder: string): Finding[] {
  const near = existsSync(folder) ? folder : nearest(folder)
  return [findFolder(folder, near), findSpace(near)]
}

function findFolder(folder: string, near: string): Finding {
  const name = 'state folder'
  try {
    accessSync(near, constants.W_OK | constants.X_OK)
    return { name, state: 'good', detail: near === folder ? folder : `${folder}, not made yet` }
  } catch {
    const cost = 'nothing can be kept'
    const fix = 'name another one with --state, or give it to this user'
    return { name, state: 'missing', detail: `${near} is not writable`, cost, fix }
  }
}

function findSpace(near: string): Finding {
  const { bavail, bsize } = statfsSync(near)
  const detail = `${((bavail * bsize) / 1024 ** 3).toFixed(1)} GiB free at ${near}`
  if (bavail * bsize >= freeBytesMin) return { name: 'disk', state: 'good', detail }
  const cost = 'large repositories, or many loops at once, may fill it'
  return { name: 'disk', state: 'weaker', detail, cost, fix: 'free some, or use --state elsewhere' }
}

function nearest(folder: string): string {
  const parent = dirname(folder)
  return existsSync(parent) || parent === folder ? parent : nearest(parent)
}
