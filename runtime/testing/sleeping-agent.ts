// A loop whose agent sleeps, so that a test can look around in its sandbox.
import { join } from 'node:path'
import type { NewLoopInput, Page } from '../spool/api.ts'
import { prepareState } from '../start/state.ts'
import type { ExecResult, Sandbox } from '../weaver/api.ts'
import { toPlace } from '../weaver/backend/place.ts'
import type { TestAppliance } from './appliance.ts'
import { createDemoLoop } from './demo-loop.ts'

export type SleepingAgent = {
  loop: string
  sandbox: string
  /** Where its sandbox lies on this machine. */
  place: ReturnType<typeof toPlace>
  /** A shell line in its sandbox, as a person runs one from outside. */
  exec(script: string, env?: Record<string, string>): Promise<ExecResult>
  end(): Promise<void>
}

/** The sandbox's token, as any agent gets it in its environment. */
export const tokenFile = '/home/agent/token'
const program = `umask 077; printf %s "$TREADLE_TOKEN" > ${tokenFile}; exec sleep 600`

export async function startSleepingAgent(
  treadle: TestAppliance,
  work: string,
  over: Partial<NewLoopInput> = {},
): Promise<SleepingAgent> {
  const loop = await createDemoLoop(work, 'fix-adder', {
    agent: { command: ['/bin/sh', '-c', program], wire: 'anthropic' },
    ...over,
  })
  const { id } = await treadle.submit(loop)
  const { client } = treadle
  const sandbox = await treadle.until('a sandbox with its agent', async () => {
    const { items } = await client.get<Page<Sandbox>>(`/api/sandboxes?loop=${id}&state=ready`)
    const found = items[0]?.id
    return found && (await exec(found, `[ -s ${tokenFile} ]`)).exit === 0 && found
  })
  const roots = {
    sandboxFolder: join(treadle.state, 'sandboxes'),
    runFolder: join(runFolder(treadle), 'sandboxes'),
  }
  return {
    loop: id,
    sandbox,
    place: toPlace(roots, { id: sandbox, uid: null, cgroups: [] }),
    exec: (script, env) => exec(sandbox, script, env),
    async end() {
      await client.post(`/api/loops/${id}/cancel`, {})
      await treadle.ended(id)
    },
  }

  function exec(into: string, script: string, env: Record<string, string> = {}) {
    const argv = ['/bin/sh', '-c', script]
    const path = `/api/sandboxes/${into}/exec`
    return client.post<ExecResult>(path, { argv, env, timeoutMs: 30_000 })
  }
}

/** Where the sockets of a whole Treadle lie. */
export const runFolder = ({ state }: TestAppliance) => prepareState(state, process.getuid!()).run
