import { join } from 'node:path'

type Surroundings = { isRoot: boolean; xdgStateHome: string | undefined; home: string }

/** Where an instance keeps its state, unless --state says otherwise. */
export function defaultStateFolder({ isRoot, xdgStateHome, home }: Surroundings): string {
  if (isRoot) return '/var/lib/treadle'
  return join(xdgStateHome || join(home, '.local/state'), 'treadle')
}
