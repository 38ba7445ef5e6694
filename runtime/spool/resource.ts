import type { Resource } from '#kernel/access.ts'
import { isLocal } from './git/source.ts'

/** A loop as the policies see it. */
export const toResource = (loop: {
  id: string
  org: string
  user_id: string
  repository: string
}): Resource => ({
  type: 'Loop',
  id: loop.id,
  org: loop.org,
  owner: loop.user_id,
  facts: { isLocal: isLocal(loop.repository) },
})
