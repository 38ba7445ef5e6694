import { createFaults, type FaultTable } from '#kernel/fault.ts'

export type PodCode =
  | 'pod/activated'
  | 'pod/agent-absent'
  | 'pod/agent-running'
  | 'pod/agent-started'
  | 'pod/base-unknown'
  | 'pod/bundle-refused'
  | 'pod/busy'
  | 'pod/checked-out'
  | 'pod/git-failed'
  | 'pod/invalid'
  | 'pod/no-line'
  | 'pod/no-program'
  | 'pod/route-absent'
  | 'pod/too-large'
  | 'pod/tree-refused'

export const faultTable: FaultTable<PodCode> = {
  'pod/activated': { status: 409, text: 'The sandbox is active already.' },
  'pod/agent-absent': { status: 404, text: 'No agent was started here.' },
  'pod/agent-running': { status: 409, text: 'The agent still runs. Stop it first.' },
  'pod/agent-started': { status: 409, text: 'An agent was started here already.' },
  'pod/base-unknown': { status: 409, text: 'The workspace was not checked out at this commit.' },
  'pod/bundle-refused': { status: 422, text: 'Git does not take this bundle.' },
  'pod/busy': { status: 429, text: 'Too many of these run at once.' },
  'pod/checked-out': { status: 409, text: 'The workspace is not empty.' },
  'pod/git-failed': { status: 500, text: 'Git failed.' },
  'pod/invalid': { status: 400, text: 'The request is not as the schema asks.' },
  'pod/no-line': { status: 409, text: 'This sandbox has no way out.' },
  'pod/no-program': { status: 422, text: "The agent's program is not in the sandbox." },
  'pod/route-absent': { status: 404, text: 'Nothing answers here.' },
  'pod/too-large': { status: 413, text: 'This is larger than the limit.' },
  'pod/tree-refused': { status: 422, text: 'Git does not take this work tree.' },
}

export const fault = createFaults(faultTable)
