import type { AgentState } from '../weaver/api.ts'
import type { Agent } from './agent.ts'
import type { Checkout } from './checkout.ts'

export type PodOptions = {
  /** The Unix socket that leads to the proxy, where there is a way out. */
  line: string | undefined
  /** A named pipe for the first command's output, made ahead. It need not be there. */
  pipe: string | undefined
  work: string
  home: string
  /** Port of the way out on loopback; 0 picks a free one. */
  proxyPort: number
  ownPidNamespace: boolean
  /** What every process here starts with. No platform's variable is in it. */
  env: Readonly<Record<string, string>>
}

/** What the daemon knows of its one sandbox. It lives in memory alone and ends with the process. */
export type Pod = PodOptions & {
  /** Stands in the environment of all that is started here, to find it again. */
  mark: string
  activation: { token: string | null; origin: string | null } | undefined
  checkout: Checkout | undefined
  agent: Agent | undefined
  /** Set while a checkout or a snapshot works: both own the workspace alone. */
  isWorkspaceBusy: boolean
  execs: number
}

export const markName = 'TREADLE_POD'

export function createPod(options: PodOptions): Pod {
  // Unique on this machine, and that is enough. A module for random numbers would cost 8 ms of the start.
  const mark = `${process.pid}-${process.hrtime.bigint()}`
  return {
    ...options,
    mark,
    env: { ...options.env, [markName]: mark },
    activation: undefined,
    checkout: undefined,
    agent: undefined,
    isWorkspaceBusy: false,
    execs: 0,
  }
}

export const absent: AgentState = {
  state: 'absent',
  exit: null,
  signal: null,
  cut: null,
  outputBytes: 0,
  startedAt: null,
  endedAt: null,
}
