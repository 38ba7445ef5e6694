// What holds in here, measured from inside instead of believed from the flags that made it.
// Its files are the kernel's, in memory: synchronous calls are the short way.
import type { Probe } from '../weaver/api.ts'
import { fs, os } from './builtin.ts'
import { visibleProcesses } from './processes.ts'

type Finding = Omit<Probe, 'name'>
/** Names of the host's own namespaces, such as `ipc` to `ipc:[4026531839]`, as the caller sees them. */
export type Outside = Readonly<Record<string, string>>

export function probe(outside: Outside): Probe[] {
  const measures: Record<string, () => Finding> = {
    'user-namespace': userNamespace,
    'own-uid': ownUid,
    'no-capabilities': noCapabilities,
    'no-new-privileges': () => statusField('NoNewPrivs', '1'),
    seccomp: () => statusField('Seccomp', '2'), // 2 = a filter, proc(5).
    'pid-namespace': pidNamespace,
    'private-proc': privateProc,
    'ipc-namespace': () => otherNamespace('ipc', outside),
    'uts-namespace': () => otherNamespace('uts', outside),
    'read-only-system': readOnlySystem,
    'no-interface': noInterface,
    'no-route': noRoute,
    'no-core-dump': noCoreDump,
  }
  return Object.entries(measures).map(([name, measure]) => ({ name, ...settle(measure) }))
}

/** What can't be measured doesn't hold. */
function settle(measure: () => Finding): Finding {
  try {
    return measure()
  } catch (error) {
    return { held: false, detail: `Not measured: ${(error as Error).message}` }
  }
}

const uidMap = () =>
  fs
    .readFileSync('/proc/self/uid_map', 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))

const toMapText = (map: number[][]) => map.map((range) => range.join(' ')).join(', ')

function userNamespace(): Finding {
  const map = uidMap()
  const [inside, outside, count] = map[0] ?? []
  const isIdentity = inside === 0 && outside === 0 && count === 2 ** 32 - 1
  return { held: !isIdentity, detail: `uid_map ${toMapText(map)}` }
}

/** One ordinary uid, and no other that could be taken. Which one it is outside can't be seen from here. */
function ownUid(): Finding {
  const map = uidMap()
  const mapped = map.reduce((sum, [, , count]) => sum + count!, 0)
  const uid = process.getuid!()
  return { held: uid !== 0 && mapped === 1, detail: `uid ${uid}, ${mapped} mapped` }
}

// Here and below no regular expressions: compiling one costs more than the rest of a probe.
const status = () => fs.readFileSync('/proc/self/status', 'latin1')

/** A field of proc(5)'s status: `Name:`, a tab, the value, the line's end. */
function fieldOf(text: string, name: string): string | undefined {
  const key = `\n${name}:`
  const at = text.indexOf(key)
  return at < 0 ? undefined : text.slice(at + key.length, text.indexOf('\n', at + 1)).trim()
}

function statusField(name: string, wanted: string): Finding {
  const value = fieldOf(status(), name)
  return { held: value === wanted, detail: `${name} ${value}` }
}

const noCapability = '0'.repeat(16)

function noCapabilities(): Finding {
  const text = status()
  const sets = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'] as const
  const left = sets.filter((set) => fieldOf(text, set) !== noCapability)
  const detail = left.map((set) => `${set} ${fieldOf(text, set)}`).join(', ')
  return { held: left.length === 0, detail: detail || 'All sets are empty' }
}

function pidNamespace(): Finding {
  const { pid, ppid } = process
  const held = (pid === 1 || ppid === 1) && visibleProcesses().includes(1)
  return { held, detail: `pid ${pid} under ${ppid}` }
}

function privateProc(): Finding {
  const uid = process.getuid!()
  const owners = visibleProcesses().map(ownerOf)
  const others = owners.filter((owner) => owner !== undefined && owner !== uid)
  const isHost = pidNamespace().held === false
  const detail = `${owners.length} processes, ${others.length} of somebody else`
  return { held: others.length === 0 && !isHost, detail }
}

const ownerOf = (id: number): number | undefined => {
  try {
    const text = fs.readFileSync(`/proc/${id}/status`, 'latin1')
    return Number.parseInt(fieldOf(text, 'Uid') ?? '', 10)
  } catch {
    return undefined // It ended between the listing and the look.
  }
}

// Of the initial namespaces, linux/proc_ns.h; for a caller that doesn't say what is outside.
const initial: Outside = { ipc: 'ipc:[4026531839]', uts: 'uts:[4026531838]' }

function otherNamespace(kind: 'ipc' | 'uts', outside: Outside): Finding {
  const here = fs.readlinkSync(`/proc/self/ns/${kind}`)
  return { held: here !== (outside[kind] ?? initial[kind]), detail: here }
}

/** EROFS alone counts: a refusal by the file's mode would fall with the uid. */
function readOnlySystem(): Finding {
  const path = `/usr/.treadle-probe-${process.pid}`
  try {
    fs.closeSync(fs.openSync(path, 'wx'))
    fs.rmSync(path)
    return { held: false, detail: 'A file was written to /usr' }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return { held: code === 'EROFS', detail: `Writing to /usr: ${code}` }
  }
}

function noInterface(): Finding {
  const up = Object.keys(os.networkInterfaces())
  return { held: up.every((name) => name === 'lo'), detail: `Up: ${up.join(', ') || 'none'}` }
}

/** The kernel's tables themselves: trying an address would say something of that one alone. */
function noRoute(): Finding {
  // proc(5): IPv4 has a title line and begins with the interface, IPv6 has none and ends with it.
  const routes4 = linesOf(fs.readFileSync('/proc/net/route', 'latin1')).slice(1)
  const routes6 = linesOf(readIfThere('/proc/net/ipv6_route')) // A kernel without IPv6 has no such file.
  const out4 = routes4.filter((line) => !line.startsWith('lo\t'))
  const out6 = routes6.filter((line) => !line.endsWith(' lo'))
  const [all, out] = [routes4.length + routes6.length, out4.length + out6.length]
  return { held: out === 0, detail: `${all} routes, ${out} of them not by lo` }
}

const linesOf = (text: string) =>
  text
    .split('\n')
    .map((line) => line.trimEnd())
    .filter(Boolean)

const readIfThere = (path: string) => (fs.existsSync(path) ? fs.readFileSync(path, 'latin1') : '')

function noCoreDump(): Finding {
  const limits = fs.readFileSync('/proc/self/limits', 'utf8')
  const [, soft, hard] = /^Max core file size\s+(\S+)\s+(\S+)/m.exec(limits) ?? []
  return { held: soft === '0' && hard === '0', detail: `soft ${soft}, hard ${hard}` }
}
