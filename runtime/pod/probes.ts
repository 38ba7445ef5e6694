// What holds in here, measured from inside instead of believed from the flags that made it.
// Its files are the kernel's, in memory: synchronous calls are the short way.
import type { Probe } from '../weaver/api.ts'
import { fs, net, os } from './builtin.ts'
import { visibleProcesses } from './processes.ts'

type Finding = Omit<Probe, 'name'>
/** Names of the host's own namespaces, such as `ipc` to `ipc:[4026531839]`, as the caller sees them. */
export type Outside = Readonly<Record<string, string>>

export function probe(outside: Outside): Promise<Probe[]> {
  const measures: Record<string, () => Finding | Promise<Finding>> = {
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
  return Promise.all(
    Object.entries(measures).map(async ([name, measure]) => ({ name, ...(await settle(measure)) })),
  )
}

/** What can't be measured doesn't hold. */
async function settle(measure: () => Finding | Promise<Finding>): Promise<Finding> {
  try {
    return await measure()
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

function statusFields(): ReadonlyMap<string, string> {
  const lines = fs.readFileSync('/proc/self/status', 'utf8').trim().split('\n')
  return new Map(lines.map((line) => line.split(/:\s*/, 2) as [string, string]))
}

function statusField(name: string, wanted: string): Finding {
  const value = statusFields().get(name)
  return { held: value === wanted, detail: `${name} ${value}` }
}

function noCapabilities(): Finding {
  const fields = statusFields()
  const sets = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'] as const
  const left = sets.filter((set) => !/^0+$/.test(fields.get(set) ?? ''))
  const detail = left.map((set) => `${set} ${fields.get(set)}`).join(', ')
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
    const status = fs.readFileSync(`/proc/${id}/status`, 'utf8')
    return Number(/^Uid:\s+(\d+)/m.exec(status)?.[1])
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

// The metadata address of clouds, and a private one: nobody answers there on an ordinary machine.
const beyond = ['169.254.169.254', '10.255.255.1']

async function noRoute(): Promise<Finding> {
  const answers = await Promise.all(beyond.map(reach))
  const held = answers.every((answer) => answer === 'ENETUNREACH' || answer === 'EHOSTUNREACH')
  return { held, detail: beyond.map((host, index) => `${host} ${answers[index]}`).join(', ') }
}

const reachMsMax = 500 // Without a route the kernel refuses at once; a wait means that a packet left.

const reach = (host: string): Promise<string> =>
  new Promise((resolve) => {
    const socket = net.connect({ host, port: 80 })
    const settleAs = (answer: string) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => settleAs('connected'))
    socket.once('error', (error: NodeJS.ErrnoException) => settleAs(error.code ?? error.message))
    socket.setTimeout(reachMsMax, () => settleAs('no answer'))
  })

function noCoreDump(): Finding {
  const limits = fs.readFileSync('/proc/self/limits', 'utf8')
  const [, soft, hard] = /^Max core file size\s+(\S+)\s+(\S+)/m.exec(limits) ?? []
  return { held: soft === '0' && hard === '0', detail: `soft ${soft}, hard ${hard}` }
}
