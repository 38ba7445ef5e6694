// TCP sockets that processes hold, by /proc.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

const listening = '0A' // As proc_net_tcp has it.

/** Those to or from one of the ports, but for the listening ones. */
export function countSockets(pids: readonly number[], ports: readonly number[]): number {
  const owned = new Set(pids.flatMap(readInodes))
  const wanted = new Set(ports)
  const lines = ['tcp', 'tcp6'].flatMap((table) => readTable(`/proc/net/${table}`))
  return lines.filter((line) => {
    const [, local, remote, state, , , , , , inode] = line.trim().split(/\s+/)
    const isMeant = wanted.has(toPort(local!)) || wanted.has(toPort(remote!))
    return isMeant && state !== listening && owned.has(inode!)
  }).length
}

const toPort = (address: string) => Number.parseInt(address.slice(address.indexOf(':') + 1), 16)

function readTable(path: string): string[] {
  try {
    return readFileSync(path, 'latin1').trim().split('\n').slice(1)
  } catch {
    return [] // No IPv6 here.
  }
}

function readInodes(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? []
      } catch {
        return [] // Closed meanwhile.
      }
    })
  } catch {
    return [] // The process has gone.
  }
}
