// Who came in, what opened a door, and who was kept out: rows that are never changed.
import type { IncomingMessage } from 'node:http'
import type { DatabasePool } from 'slonik'
import { Fault } from '#kernel/fault.ts'
import type { Logger } from '#kernel/log.ts'
import type { UserClaims } from '#kernel/tokens.ts'
import { addressOf } from './authenticate.ts'
import type { Denials } from './denials.ts'
import { insertEvent } from './sql/access-log.ts'

/** Notes an error that kept somebody out; leaves all others alone. Never throws. */
export type NoteDenial = (
  error: unknown,
  request: IncomingMessage,
  claims?: UserClaims,
) => Promise<void>

type Deps = { db: DatabasePool; denials: Denials; now: () => Date; log: Logger }

export const createNoteDenial =
  ({ db, denials, now, log }: Deps): NoteDenial =>
  async (error, request, claims) => {
    if (!isDenial(error)) return
    const address = addressOf(request)
    if (!denials.count(address)) return
    const { org, sub: user, channel } = claims ?? {}
    const [path = ''] = (request.url ?? '').split('?', 1)
    const event = {
      event: 'denied',
      org,
      user,
      channel,
      subject: `${request.method} ${path}`.slice(0, subjectCharsMax),
      address,
      requestId: request.headers['x-request-id']?.toString(),
      detail: error.code,
    } as const
    await db
      .query(insertEvent(now(), event))
      .catch((cause: unknown) =>
        log.warn({ error: cause, event }, 'the access log missed a denial'),
      )
  }

const subjectCharsMax = 500 // Paths are the caller's to choose, up to the 16 KiB of a header block.

const denialStatuses = new Set([401, 403, 410, 421])

/** To ask without any credential is no attempt; it is how a browser begins. */
const isDenial = (error: unknown): error is Fault =>
  error instanceof Fault && denialStatuses.has(error.status) && error.code !== 'auth/absent'
