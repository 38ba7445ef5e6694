import { createFaults, type FaultTable } from '#kernel/fault.ts'

export type ThreadsCode =
  | 'threads/absent'
  | 'threads/busy'
  | 'threads/invalid'
  | 'threads/unavailable'

export const faultTable: FaultTable<ThreadsCode> = {
  'threads/absent': { status: 404, text: 'No thread has this id.' },
  'threads/busy': { status: 503, text: 'Too many turns are being stored. Try again soon.' },
  'threads/invalid': { status: 400, text: 'The request is not as the schema asks.' },
  'threads/unavailable': { status: 503, text: 'The database does not answer. Try again soon.' },
}

export const fault = createFaults(faultTable)
