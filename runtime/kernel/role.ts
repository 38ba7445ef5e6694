// What every role is started with, and what it answers. `role.ts` of a role folder wires from this.
import type { DatabasePool } from 'slonik'
import type { Access } from './access.ts'
import type { Logger } from './log.ts'
import type { Peers } from './peers.ts'
import type { Verifier } from './tokens.ts'

export type RoleDeps = {
  log: Logger
  now: () => Date
  db: DatabasePool
  /** Checks tokens whose audience is this role. */
  verify: Verifier
  /** Calls of other roles, signed as this one. */
  peers: Peers
  access: Access
  /** The role's private folder in the state, mode 0700. */
  folder: string
}

/** `url` is where the role's routes answer: loopback, for the front door and the other roles only. */
export type Role = AsyncDisposable & { url: URL }
