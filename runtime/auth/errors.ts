import { createFaults, type FaultTable } from '#kernel/fault.ts'

export type AuthCode =
  | 'auth/absent'
  | 'auth/body'
  | 'auth/host'
  | 'auth/invalid'
  | 'auth/key-absent'
  | 'auth/keys-max'
  | 'auth/link-over'
  | 'auth/method'
  | 'auth/org-absent'
  | 'auth/origin'
  | 'auth/path'
  | 'auth/peer-down'
  | 'auth/refused'
  | 'auth/session-absent'
  | 'auth/store-down'
  | 'auth/too-many-denials'
  | 'auth/upgrade'

export const faultTable: FaultTable<AuthCode> = {
  'auth/absent': {
    status: 401,
    text: 'Say who you are: with a key as bearer token, or signed in.',
  },
  'auth/body': { status: 400, text: 'A request of this kind can carry no such body.' },
  'auth/host': {
    status: 421,
    text: 'This name is not ours. Names beside 127.0.0.1 and localhost are listed in publicUrls.',
  },
  'auth/invalid': { status: 400, text: 'The request is not as the schema asks.' },
  'auth/key-absent': { status: 404, text: 'No key has this id.' },
  'auth/keys-max': {
    status: 409,
    text: 'The organisation has as many live keys as it can. Revoke one.',
  },
  'auth/link-over': { status: 410, text: 'This link was used, or its time is over.' },
  'auth/method': { status: 405, text: 'This method is not spoken here.' },
  'auth/org-absent': { status: 404, text: 'You belong to no organisation with this id.' },
  'auth/origin': { status: 403, text: 'A page of another origin asked for a change.' },
  'auth/path': {
    status: 400,
    text: 'A path here has plain segments: no dots, double or encoded slashes.',
  },
  'auth/peer-down': { status: 503, text: 'The role behind this path does not answer.' },
  // One text for every cause: unknown, ended, revoked, for another audience.
  'auth/refused': { status: 401, text: 'This credential is not good.' },
  'auth/session-absent': { status: 404, text: 'You have no session with this id.' },
  'auth/store-down': { status: 503, text: 'The database does not answer. Try again in a moment.' },
  'auth/too-many-denials': {
    status: 429,
    text: 'Too many refused attempts from here. Wait a minute.',
  },
  'auth/upgrade': { status: 400, text: 'Only a terminal is upgraded, and only to a WebSocket.' },
}

export const fault = createFaults(faultTable)
