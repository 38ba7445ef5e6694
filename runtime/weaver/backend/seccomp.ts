// The system calls a sandbox may not make, as the classic BPF that bubblewrap's --seccomp takes.
// seccomp(2). A wrong architecture or an x32 call kills; a denied call gets an error; all else is
// allowed.

/**
 * Numbers by call: x86-64, arm64 (null: that machine has no such call). From the tables in the
 * kernel's own headers.
 */
// biome-ignore format: a table reads best with a topic a line.
const denied: Readonly<Record<string, readonly [x64: number, arm64: number | null]>> = {
  // Mounts and namespaces.
  mount: [165, 40], umount2: [166, 39], pivot_root: [155, 41], chroot: [161, 51],
  unshare: [272, 97], setns: [308, 268], open_tree: [428, 428], move_mount: [429, 429],
  fsopen: [430, 430], fsconfig: [431, 431], fsmount: [432, 432], fspick: [433, 433],
  mount_setattr: [442, 442], name_to_handle_at: [303, 264], open_by_handle_at: [304, 265],
  // Other processes.
  ptrace: [101, 117], process_vm_readv: [310, 270], process_vm_writev: [311, 271],
  pidfd_getfd: [438, 438], kcmp: [312, 272],
  // Wide doors into the kernel that a compiler or a test never needs.
  bpf: [321, 280], perf_event_open: [298, 241], userfaultfd: [323, 282],
  fanotify_init: [300, 262], io_uring_setup: [425, 425], io_uring_enter: [426, 426],
  io_uring_register: [427, 427], add_key: [248, 217], request_key: [249, 218],
  keyctl: [250, 219], lookup_dcookie: [212, 18],
  // The machine as a whole.
  kexec_load: [246, 104], kexec_file_load: [320, 294], init_module: [175, 105],
  delete_module: [176, 106], finit_module: [313, 273], swapon: [167, 224], swapoff: [168, 225],
  reboot: [169, 142], acct: [163, 89], quotactl: [179, 60], syslog: [103, 116],
  vhangup: [153, 58], iopl: [172, null], ioperm: [173, null], sethostname: [170, 161],
  setdomainname: [171, 162], settimeofday: [164, 170], clock_settime: [227, 112],
  clock_adjtime: [305, 266], adjtimex: [159, 171],
}
const ioctl = [16, 29] as const
const socket = [41, 198] as const

// TIOCSTI types into the terminal of whoever watches (CVE-2017-5226); TIOCLINUX does so on a
// console.
const deniedIoctls = [0x5412, 0x541c]
// AF_UNIX, AF_INET, AF_INET6, AF_NETLINK. All others are refused, AF_VSOCK above all: it reaches a
// virtual machine's host, and no network namespace holds it back.
const allowedFamilies = [1, 2, 10, 16]

const architectures = {
  x64: { audit: 0xc000003e, column: 0 },
  arm64: { audit: 0xc00000b7, column: 1 },
} as const
export type FilteredArchitecture = keyof typeof architectures
export const isFiltered = (arch: string): arch is FilteredArchitecture => arch in architectures

const load = 0x20
const equal = 0x15
const atLeast = 0x35
const give = 0x06
const allow = 0x7fff0000
const kill = 0x80000000
const notPermitted = 0x00050001 // SECCOMP_RET_ERRNO | EPERM
const noSuchFamily = 0x00050061 // SECCOMP_RET_ERRNO | EAFNOSUPPORT

// Offsets in struct seccomp_data; of the arguments the low halves, for the kernel reads these two
// as 32 bits.
const callAt = 0
const architectureAt = 4
const firstArgumentAt = 16
const secondArgumentAt = 24

type Instruction = readonly [code: number, then: number, otherwise: number, value: number]

export function toFilter(arch: FilteredArchitecture): Buffer {
  const { audit, column } = architectures[arch]
  const calls = Object.values(denied).flatMap((row) => row[column] ?? [])
  return toBytes([
    [load, 0, 0, architectureAt],
    [equal, 1, 0, audit],
    [give, 0, 0, kill],
    [load, 0, 0, callAt],
    ...(arch === 'x64' ? x32Kills : []),
    ...calls.flatMap((call): Instruction[] => [
      [equal, 0, 1, call],
      [give, 0, 0, notPermitted],
    ]),
    ...denyIoctls(ioctl[column]),
    ...allowFamilies(socket[column]),
    [give, 0, 0, allow],
  ])
}

const x32Kills: readonly Instruction[] = [
  [atLeast, 0, 1, 0x40000000],
  [give, 0, 0, kill],
]

function denyIoctls(call: number): Instruction[] {
  const tests = deniedIoctls.map((request, index): Instruction => {
    return [equal, deniedIoctls.length - index, 0, request]
  })
  return guarded(call, secondArgumentAt, [
    ...tests,
    [give, 0, 0, allow],
    [give, 0, 0, notPermitted],
  ])
}

function allowFamilies(call: number): Instruction[] {
  const tests = allowedFamilies.map((family, index): Instruction => {
    return [equal, allowedFamilies.length - index, 0, family]
  })
  return guarded(call, firstArgumentAt, [...tests, [give, 0, 0, noSuchFamily], [give, 0, 0, allow]])
}

/**
 * `body` decides on an argument of one call; other calls skip it with the call's number still
 * loaded.
 */
const guarded = (call: number, argumentAt: number, body: Instruction[]): Instruction[] => [
  [equal, 0, body.length + 1, call],
  [load, 0, 0, argumentAt],
  ...body,
]

const instructionBytes = 8

function toBytes(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * instructionBytes)
  program.forEach(([code, then, otherwise, value], index) => {
    const at = index * instructionBytes
    bytes.writeUInt16LE(code, at)
    bytes.writeUInt8(then, at + 2)
    bytes.writeUInt8(otherwise, at + 3)
    bytes.writeUInt32LE(value, at + 4)
  })
  return bytes
}

/** Every number in use, for the test that runs the filter over each. */
export const systemCalls = { ...denied, ioctl, socket }
