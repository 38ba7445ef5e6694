// Finds a daemon that says nothing any more: its agent shares its user, and may stop it.
import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Entry } from './entry.ts'
import { membersOf, toKey } from './members.ts'

const lookMs = 250
const restMs = 2_000 // Between an answer and the next question.
// A daemon beside a busy build answers within a second or two.
const silentMsMax = 10_000
// Stopped from inside, or cut, so that nothing else of the sandbox runs: then silence means no more.
const surelySilentMsMax = 2_000

/**
 * Resolves when the daemon gave no sign for too long; rejects when `signal` aborts. It asks on a connection of its own,
 * and counts looks instead of time: neither many callers nor a pause of this process makes a daemon mute.
 */
export async function untilMute(entry: Entry, signal: AbortSignal): Promise<void> {
  const { socketPath } = entry.started!.pod
  for (;;) {
    using question = ask(socketPath)
    for (let looks = 1; !question.isAnswered(); looks += 1) {
      await sleep(lookMs, undefined, { signal })
      const silentMs = looks * lookMs
      if (silentMs > silentMsMax) return
      if (silentMs > surelySilentMsMax && (entry.cut !== null || isStopped(entry))) return
    }
    await sleep(restMs, undefined, { signal })
  }
}

/** Any answer counts, a refused connection too: what is gone is found elsewhere. */
function ask(socketPath: string): Disposable & { isAnswered(): boolean } {
  let isAnswered = false
  const asked = request({ socketPath, path: '/agent', agent: false })
  const onAnswer = () => {
    isAnswered = true
    asked.destroy()
  }
  asked.once('response', onAnswer)
  asked.on('error', ({ code }: NodeJS.ErrnoException) => {
    if (code !== 'EAGAIN') isAnswered = true // EAGAIN: so many wait already that it takes no more.
  })
  asked.end()
  return { isAnswered: () => isAnswered, [Symbol.dispose]: () => asked.destroy() }
}

/** Only the agent would stop what keeps its sandbox. */
function isStopped({ watched, started }: Entry): boolean {
  const spared = membersOf(watched!.whose).filter((member) => started!.spared.has(toKey(member)))
  return spared.some((member) => member.isStopped)
}
