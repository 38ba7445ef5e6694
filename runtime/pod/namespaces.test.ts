// The daemon as pid 1 of namespaces of its own, without the rest of a sandbox's walls, beside one without any.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readlinkSync } from 'node:fs'
import { describe, test } from 'node:test'
import type { Probe } from '../weaver/api.ts'
import { startPod, type TestPod, until } from './testing.ts'

const unshare = [
  'unshare',
  '--user',
  '--map-root-user',
  '--pid',
  '--fork',
  '--mount-proc',
  '--kill-child',
]
const apart = {
  prefix: [
    ...[...unshare, '--net', '--ipc', '--uts'],
    ...['setpriv', '--no-new-privs', '--bounding-set=-all', '--inh-caps=-all'],
  ],
  flags: ['--own-pid-namespace'],
}

const outside = ['ipc', 'uts']
  .map((kind) => `${kind}=${readlinkSync(`/proc/self/ns/${kind}`)}`)
  .join('&')

async function heldIn(pod: TestPod): Promise<Map<string, Probe>> {
  const { json } = await pod.call<Probe[]>('GET', `/probes?${outside}`)
  return new Map(json.map((probe) => [probe.name, probe]))
}

const wallNames = [
  'user-namespace',
  'no-capabilities',
  'no-new-privileges',
  'pid-namespace',
  'private-proc',
  'ipc-namespace',
  'uts-namespace',
  'no-interface',
  'no-route',
]

describe('probes', () => {
  test('say what holds in namespaces', async () => {
    await using pod = await startPod(apart)
    const probes = await heldIn(pod)
    for (const name of wallNames)
      assert.equal(probes.get(name)!.held, true, JSON.stringify(probes.get(name)))
    assert.equal(probes.get('own-uid')!.held, false, 'it is root in there')
    assert.equal(probes.get('read-only-system')!.held, false, 'nothing was mounted')
  })

  test('say what does not hold without them', async () => {
    await using pod = await startPod()
    const probes = await heldIn(pod)
    const never = [
      'pid-namespace',
      'private-proc',
      'ipc-namespace',
      'uts-namespace',
      'read-only-system',
    ]
    for (const name of never)
      assert.equal(probes.get(name)!.held, false, JSON.stringify(probes.get(name)))
  })

  test('have names that stay', async () => {
    await using pod = await startPod()
    const others = ['own-uid', 'seccomp', 'read-only-system', 'no-core-dump']
    assert.deepEqual([...(await heldIn(pod)).keys()].sort(), [...wallNames, ...others].sort())
  })
})

describe('in a pid namespace of its own', () => {
  // Without the program that makes the daemon's next pipe: it comes and goes by itself.
  const living = "grep -L -e '^State:.Z' -e '^Name:.mkfifo' /proc/[0-9]*/status | wc -l"
  const count = async (pod: TestPod) => Number((await pod.sh(living)).output)
  /** Twice the same: once it may be caught between fork and exec, where it has its parent's name. */
  const atRest = (pod: TestPod) =>
    until(async () => {
      const [one, two] = [await count(pod), await count(pod)]
      return one === two ? one : 0
    })

  test('the agent’s end is the end of all, also of what hides', async () => {
    await using pod = await startPod(apart)
    const before = await atRest(pod)
    await pod.startAgent('env -i setsid sleep 71 & env -i setsid sleep 72 & sleep 0.2')
    await until(async () => (await count(pod)) >= before + 3)
    await pod.agentEnd()
    await until(async () => (await count(pod)) === before)
    assert.equal((await pod.sh('echo goes on')).output, 'goes on\n')
  })

  test('an agent that forks without end ends at its time', async () => {
    await using pod = await startPod(apart)
    // Bounded, for this test's machine: at any moment some tens of processes, each of which starts the next.
    const script =
      'f() { sleep 0.05; (f &) }; for i in 1 2 3 4 5 6 7 8 9 10; do (f &) done; trap "" TERM; while :; do sleep 1; done'
    const before = await atRest(pod)
    await pod.startAgent(script, { timeMsMax: 500 })
    const { cut, signal } = await pod.agentEnd()
    assert.deepEqual([cut, signal], ['time', 'SIGKILL'])
    await until(async () => (await count(pod)) === before)
  })

  test('the daemon ends when weaver is gone', async () => {
    await using pod = await startPod(apart)
    await pod.startAgent('trap "" TERM HUP; sleep 73')
    const exited = once(pod.daemon, 'exit')
    pod.daemon.stdin!.destroy()
    assert.deepEqual(await exited, [0, null])
  })
})
