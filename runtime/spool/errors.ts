import { createFaults, type FaultTable } from '#kernel/fault.ts'

export type SpoolCode =
  | 'loop/absent'
  | 'loop/invalid'
  | 'loop/followers'
  | 'loop/listeners'
  | 'loop/ended'
  | 'pass/absent'
  | 'changes/absent'
  | 'recording/absent'
  | 'git/failed'
  | 'git/too-large'
  | 'work/refused'
  | 'source/gone'

export const faultTable: FaultTable<SpoolCode> = {
  'loop/absent': { status: 404, text: 'No loop has this id.' },
  'loop/invalid': { status: 400, text: 'The loop is not as it must be. Nothing was stored.' },
  'loop/followers': {
    status: 503,
    text: 'Too many callers follow events now. Ask again without follow=1.',
  },
  'loop/listeners': {
    status: 503,
    text: 'Too many callers listen now, or too many of yours. Close one, or ask again later.',
  },
  'loop/ended': { status: 409, text: 'The loop has ended. Retry it to run it again.' },
  'changes/absent': {
    status: 404,
    text: 'No change of it is stored: nothing was committed yet, or it was long ago.',
  },
  'recording/absent': { status: 404, text: 'No recording of this pass is stored.' },
  'pass/absent': { status: 404, text: 'The loop has no such pass.' },
  'git/failed': { status: 500, text: 'git refused.' },
  'git/too-large': { status: 500, text: 'git printed more than is allowed here.' },
  'work/refused': { status: 500, text: "The sandbox's work was refused." },
  'source/gone': { status: 500, text: "The repository can't be read." },
}

export const fault = createFaults(faultTable)
