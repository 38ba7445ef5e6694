import { createFaults, type FaultTable } from '#kernel/fault.ts'

export type WeaverCode =
  | 'weaver/invalid'
  | 'weaver/absent'
  | 'weaver/ended'
  | 'weaver/cut'
  | 'weaver/refused'
  | 'weaver/too-large'
  | 'weaver/full'
  | 'weaver/unavailable'
  | 'weaver/no-start'
  | 'weaver/too-weak'
  | 'weaver/pod-failed'

export const faultTable: FaultTable<WeaverCode> = {
  'weaver/invalid': { status: 400, text: 'The request is not as the schema asks.' },
  'weaver/absent': { status: 404, text: 'No sandbox has this id.' },
  'weaver/ended': { status: 410, text: 'This sandbox has ended.' },
  'weaver/cut': { status: 409, text: 'This sandbox went over a limit, so it starts nothing more.' },
  'weaver/refused': { status: 409, text: 'The daemon in the sandbox refused this.' },
  'weaver/too-large': { status: 413, text: 'The body is over its limit.' },
  'weaver/full': {
    status: 503,
    text: 'As many sandboxes run as this machine may hold. Try later.',
  },
  'weaver/unavailable': { status: 503, text: 'This machine cannot isolate a sandbox.' },
  'weaver/no-start': { status: 503, text: 'The sandbox did not come up.' },
  'weaver/too-weak': { status: 503, text: 'The sandbox is weaker than promised, so it was ended.' },
  'weaver/pod-failed': { status: 502, text: 'The daemon in the sandbox gave no usable answer.' },
}

export const fault = createFaults(faultTable)
