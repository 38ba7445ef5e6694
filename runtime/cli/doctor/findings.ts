// What this machine has for Treadle. Each finding that is not good says what it costs, and how to change it.

import { findCgroup, findNamespaces, findPrograms } from './isolation.ts'
import { findNode, findPackages } from './packages.ts'
import { findPorts, findState } from './place.ts'

export type Finding = {
  name: string
  /** missing: Treadle does not work without it. weaker: it works, with less. */
  state: 'good' | 'weaker' | 'missing'
  detail: string
  cost?: string
  fix?: string
}

export async function findAll(stateFolder: string): Promise<Finding[]> {
  return [
    findNode(),
    ...findPackages(),
    ...findPrograms(),
    ...findNamespaces(),
    findCgroup(),
    ...(await findPorts(stateFolder)),
    ...findState(stateFolder),
  ]
}
