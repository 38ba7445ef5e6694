// Who listens, by organisation. The first listener of one starts its feed, the last one ends it.
import type { Request, RequestHandler, Response } from 'express'
import { userOf } from '#kernel/caller.ts'
import type { RoleDeps } from '#kernel/role.ts'
import type { UserClaims } from '#kernel/tokens.ts'
import { fault } from '../errors.ts'
import { toResource } from '../resource.ts'
import { createFeed, type Feed } from './feed.ts'
import { type About, createListener } from './listener.ts'

const ofOneUserMax = 20 // Windows of one person; a program needs one.

export type Hub = AsyncDisposable & {
  /** Ends every answer; nobody is let in any more. */
  end(): void
  listen: RequestHandler
  /** Something was written: whoever listens there need not wait for the next look. */
  ring(org: string): void
}

type Options = { deps: RoleDeps; version: string; listenersMax: number }

export function createHub({ deps, version, listenersMax }: Options): Hub {
  const { access, db, log, now } = deps
  const feeds = new Map<string, Feed>()
  const byUser = new Map<string, number>()
  const ending = new Set<Promise<void>>()
  let listening = 0
  let isOver = false
  return {
    listen,
    ring: (org) => feeds.get(org)?.ring(),
    end,
    async [Symbol.asyncDispose]() {
      end()
      await Promise.all(ending)
    },
  }

  function end(): void {
    isOver = true
    for (const [org, feed] of feeds) close(org, feed)
  }

  function listen(_: Request, response: Response): void {
    if (response.destroyed) return // It left while it was asked who it is: its close has been.
    const claims = userOf(response)
    const leave = take(claims)
    const mayRead = (about: About) => access.decide(claims, 'loop:read', toResource(about)).allowed
    const listener = createListener(response, mayRead)
    const feed = feedOf(claims.org)
    response.on('close', () => {
      leave()
      feed.leave(listener)
      if (feed.size() === 0 && feeds.get(claims.org) === feed) close(claims.org, feed)
    })
    feed.join(listener)
  }

  /** A place among those who listen, or the refusal. */
  function take({ org, sub }: UserClaims): () => void {
    const user = JSON.stringify([org, sub])
    const mine = byUser.get(user) ?? 0
    if (isOver || listening >= listenersMax || mine >= ofOneUserMax) throw fault('loop/listeners')
    listening += 1
    byUser.set(user, mine + 1)
    return () => {
      listening -= 1
      const left = byUser.get(user)! - 1
      if (left === 0) byUser.delete(user)
      else byUser.set(user, left)
    }
  }

  function feedOf(org: string): Feed {
    const known = feeds.get(org)
    if (known) return known
    const feed = createFeed({ db, log, org, version, now })
    feeds.set(org, feed)
    return feed
  }

  function close(org: string, feed: Feed): void {
    feeds.delete(org)
    const ended = feed.end().finally(() => ending.delete(ended))
    ending.add(ended) // Its last look may run still.
  }
}
