// What the terminal shows: lines for a person, or JSON lines for a program.
import pico from 'picocolors'
import { toUsd } from '#kernel/units.ts'
import { toEventLines } from '../cli/event-text.ts'
import { toPrintableDeep } from '../cli/printable.ts'
import type { Seen } from './watch.ts'

export type Ready = {
  url: string | null
  proxyUrl: string | null
  signInLink: string | null
  state: string
  /** Roles that are neither here nor known by a URL. */
  missing: readonly string[]
}

export type Report = {
  ready(ready: Ready, startMs: number): void
  seen(seen: Seen): void
  say(text: string): void
}

type Write = (line: string) => void

/** JSON lines: `ready`, `started`, `pass`, `paused`, `ended`. */
export function createJsonReport(write: Write): Report {
  const put = (value: object) => write(JSON.stringify(value))
  return {
    ready: (ready, startMs) => put({ event: 'ready', ...ready, startMs }),
    say: () => {},
    seen({ loop, event }) {
      const of = { loop: loop.id, name: loop.name, isRehearsal: loop.isRehearsal }
      if (event.event === 'started') put({ event: 'started', ...of, base: event.base })
      if (event.event === 'paused')
        put({ event: 'paused', ...of, reason: event.reason, until: event.until })
      if (event.event === 'pass') put(passLine(of, event.pass))
      if (event.event === 'ended') {
        const { ending, exitCode, reason, branch, bundle, repository } = event
        put({ event: 'ended', ...of, ending, exitCode, reason, branch, bundle, repository })
      }
    },
  }
}

type PassOf = Extract<Seen['event'], { event: 'pass' }>['pass']

const passLine = (
  of: object,
  { pass, attempt, sha, filesChanged, gates, usage, costNanoUsd, promised, next, reason }: PassOf,
) => ({
  event: 'pass',
  ...of,
  pass,
  attempt,
  sha,
  filesChanged,
  gates: gates.map(({ name, exit, ms }) => ({ name, exit, ms })),
  usage,
  costUsd: toUsd(costNanoUsd),
  promised,
  next,
  reason,
})

export function createTextReport(write: Write): Report {
  return {
    ready({ url, proxyUrl, signInLink, state, missing }, startMs) {
      write(`${pico.bold('Treadle')} is up after ${(startMs / 1_000).toFixed(1)} s.`)
      if (url) write(`  front door  ${url}`)
      if (proxyUrl) write(`  LLM proxy   ${proxyUrl}`)
      write(`  state       ${state}`)
      if (missing.length > 0) write(`  missing     ${missing.join(', ')}: ${whereMissing}`)
      if (signInLink)
        write(`  sign in     ${signInLink}  ${pico.dim('(good once, for 15 minutes)')}`)
      write('')
    },
    say: write,
    seen({ loop, event }) {
      const name = pico.cyan(loop.name.padEnd(nameWidth))
      // Its name is before the line already.
      const lines =
        event.event === 'started'
          ? [`${loop.agent} on ${toPrintableDeep(loop.model)}  ${pico.dim(loop.id)}`]
          : toEventLines(toPrintableDeep(event), loop.isRehearsal, pico)
      for (const line of lines) write(`${name}  ${line}`)
    },
  }
}

const whereMissing = 'not started here, and no URL under `peers` in the configuration'
const nameWidth = 16 // Most names; a longer one only shifts its own line.
