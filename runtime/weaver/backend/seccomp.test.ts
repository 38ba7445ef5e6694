import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { systemCalls, toFilter } from './seccomp.ts'

const allow = 0x7fff0000
const kill = 0x80000000
const notPermitted = 0x00050001
const noSuchFamily = 0x00050061
const machines = [
  { arch: 'x64', audit: 0xc000003e, column: 0, foreign: 0xc00000b7, read: 0 },
  { arch: 'arm64', audit: 0xc00000b7, column: 1, foreign: 0xc000003e, read: 63 },
] as const

type Call = { audit: number; call: number; args?: number[] }

/** What the kernel would do: the five instructions of classic BPF that the filter uses. */
function run(filter: Buffer, { audit, call, args = [] }: Call): number {
  const data = Buffer.alloc(64)
  data.writeUInt32LE(call, 0)
  data.writeUInt32LE(audit, 4)
  for (const [index, value] of args.entries()) data.writeUInt32LE(value, 16 + index * 8)
  let loaded = 0
  for (let at = 0; ; ) {
    const row = filter.subarray(at * 8, at * 8 + 8)
    const [code, value] = [row.readUInt16LE(0), row.readUInt32LE(4)]
    if (code === 0x06) return value
    if (code === 0x20) loaded = data.readUInt32LE(value)
    const holds = code === 0x15 ? loaded === value : loaded >= value
    at += 1 + (code === 0x20 ? 0 : row.readUInt8(holds ? 2 : 3))
  }
}

for (const { arch, audit, column, foreign, read } of machines) {
  describe(`the filter for ${arch}`, () => {
    const filter = toFilter(arch)
    const { ioctl, socket, ...denied } = systemCalls
    const rows = Object.entries<readonly [number, number | null]>(denied)

    test('denies every call of its table', () => {
      for (const [name, numbers] of rows) {
        const call = numbers[column]
        if (call !== null) assert.equal(run(filter, { audit, call }), notPermitted, name)
      }
    })

    test('allows what is not in it', () => {
      assert.equal(run(filter, { audit, call: read }), allow)
    })

    test('kills a call of another architecture', () => {
      assert.equal(run(filter, { audit: foreign, call: read }), kill)
    })

    test('denies typing into a terminal, and no other ioctl', () => {
      const ask = (request: number) =>
        run(filter, { audit, call: ioctl[column], args: [0, request] })
      assert.deepEqual([0x5412, 0x541c, 0x5413].map(ask), [notPermitted, notPermitted, allow])
    })

    test('allows sockets of four families, and none that passes the network namespace', () => {
      const ask = (family: number) => run(filter, { audit, call: socket[column], args: [family] })
      const vsock = 40
      const packet = 17
      assert.deepEqual([1, 2, 10, 16].map(ask), [allow, allow, allow, allow])
      assert.deepEqual([vsock, packet, 38].map(ask), [noSuchFamily, noSuchFamily, noSuchFamily])
    })
  })
}

test('the filter for x64 kills calls by the x32 numbers', () => {
  assert.equal(run(toFilter('x64'), { audit: machines[0].audit, call: 0x40000000 }), kill)
})
