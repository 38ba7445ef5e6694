// What a viewer of a terminal knows, and does with bytes, news and keys, on one line after another.
import type { TerminalHello, TerminalNews, TerminalWriter } from '../weaver/api.ts'
import type { AttachMode } from './attach-mode.ts'
import type { Context } from './command.ts'
import { type Size, sizeOf } from './hands.ts'
import { toPrintable } from './printable.ts'
import type { Line, Spot } from './terminal-line.ts'

export type Viewer = {
  /** Where to go on; undefined before the first greeting. */
  spot(): Spot | undefined
  ended(): End | undefined
  /** Keys go here from now on; undefined: nowhere. */
  use(line: Line | undefined): void
  onBytes(bytes: Buffer, resume: () => void): boolean
  onNews(news: TerminalNews): void
  onKeys(keys: Buffer): void
  onSize(size: Size): void
}

type End = Extract<TerminalNews, { type: 'ended' }>
type Events = {
  onGreeting(hello: TerminalHello): void
  /** The person types the key that leaves. */
  onLeave(): void
}

const detachKey = 0x1d // Ctrl-], as telnet has it: hardly a program uses it.
const interruptKey = 0x03 // Ctrl-C: of no other use to who only watches.

export function createViewer(
  { stdout, out }: Pick<Context, 'stdout' | 'out'>,
  mode: AttachMode,
  { onGreeting, onLeave }: Events,
): Viewer {
  let line: Line | undefined
  let spot: Spot | undefined
  let writer: TerminalWriter = null
  let wantsPlace = mode === 'take'
  let end: End | undefined
  let goOn: (() => void) | undefined
  const drained = () => {
    const resume = goOn
    goOn = undefined
    resume?.()
  }
  let wasToldOff = false // Once, and not for each key.

  const sendSize = (size = sizeOf(stdout)) => {
    if (size && writer === 'you') line?.say({ type: 'resize', ...size })
  }
  const take = () => {
    line?.say({ type: 'take' })
    writer = 'you' // What is sent after it is read after it.
  }
  const tellOff = (why: string) => {
    if (!wasToldOff) out.note(why)
    wasToldOff = true
  }
  const greet = (hello: TerminalHello) => {
    spot = { instance: hello.instance, offset: hello.offset }
    writer = hello.writer
    if (wantsPlace && writer !== 'you') take()
    wantsPlace = false
    sendSize()
    if (mode === 'write' && writer === 'other') tellOff(otherWrites)
    onGreeting(hello)
  }
  const setWriter = (now: TerminalWriter) => {
    if (now === 'other' && writer === 'you') out.note('Somebody else took the writer’s place.')
    if (now !== writer) wasToldOff = false
    writer = now
  }
  return {
    spot: () => spot,
    ended: () => end,
    use(now) {
      if (now === undefined) wantsPlace = writer === 'you' // Its own ghost may sit there still.
      line = now
    },
    onBytes(bytes, resume) {
      if (spot) spot.offset += bytes.length
      const takesMore = stdout.write(bytes)
      if (takesMore) return true
      if (!goOn) stdout.once('drain', drained)
      goOn = resume // Of the line there is now: one that broke meanwhile has nothing to resume.
      return false
    },
    onNews(news) {
      if (news.type === 'hello') greet(news)
      if (news.type === 'writer') setWriter(news.writer)
      if (news.type === 'refused') tellOff(toPrintable(news.reason))
      if (news.type === 'ended') end = news
    },
    onKeys(keys) {
      const isLeaving = (key: number) =>
        key === detachKey || (mode === 'view' && key === interruptKey)
      const at = keys.findIndex(isLeaving)
      const typed = at < 0 ? keys : keys.subarray(0, at)
      if (typed.length > 0 && mode !== 'view' && line) {
        if (writer === null) take()
        if (writer === 'you') line.keys(typed)
        else tellOff(otherWrites)
      }
      if (at >= 0) onLeave()
    },
    onSize: sendSize,
  }
}

const otherWrites = 'Somebody else writes here, and you watch. --write takes the place.'
