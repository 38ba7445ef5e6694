// Faults by switch, so that budgets, retries and breakers can be shown and tested without a vendor.
import { z } from 'zod'
import type { Event } from './wires/wire.ts'

const stallMsMax = 600_000 // Longer than any client of ours waits.
const Count = z.int().min(-1_000).max(1_000)

export const PlannedFault = z.strictObject({
  /** Answers with this status, in the wire's own shape of an error. */
  status: z.int().min(400).max(599).optional(),
  type: z.string().optional(),
  code: z.string().optional(),
  message: z.string().optional(),
  /** Added to the answer, whatever else is planned. */
  headers: z.record(z.string().regex(/^[\w-]+$/), z.string().regex(/^[\x20-\x7e]*$/)).optional(),
  /** Leaves out events by name; `[DONE]` names chat's last one. */
  omit: z.array(z.string()).optional(),
  /** Cuts the connection after so many events; below zero it counts from the end. */
  cutAfter: Count.optional(),
  /** Ends the stream in good order after so many events; below zero it counts from the end. */
  endAfter: Count.optional(),
  /** Waits before the planned cut or end; without one, before the answer. */
  stallMs: z.int().min(0).max(stallMsMax).optional(),
  /** For so many calls; else until it is replaced. */
  times: z.int().min(0).optional(),
  /** For calls whose path or model contains this text; else for all. */
  only: z.string().optional(),
})
export type PlannedFault = Readonly<z.infer<typeof PlannedFault>>

export type FaultSwitch = {
  set(fault: PlannedFault): void
  /** The fault for one call; empty when none is planned for it. */
  take(path: string, model: string): PlannedFault
}

export function createFaultSwitch(initial: PlannedFault): FaultSwitch {
  let planned = initial
  return {
    set: (fault) => {
      planned = fault
    },
    take: (path, model) => {
      const { only = '', times = Number.POSITIVE_INFINITY } = planned
      if (times === 0 || !(path.includes(only) || model.includes(only))) return {}
      const taken = planned
      planned = { ...planned, ...(planned.times && { times: times - 1 }) }
      return taken
    },
  }
}

export type StreamEnd = 'whole' | 'cut' | 'ended-early'

/** What is left of a stream under a fault, and how it ends. */
export function planStream(events: readonly Event[], { omit = [], ...fault }: PlannedFault) {
  const kept = events.filter(({ name, data }) => !omit.includes(name ?? String(data)))
  const [cutAt, endAt] = [toIndex(fault.cutAfter, kept), toIndex(fault.endAfter, kept)]
  const count = Math.min(cutAt, endAt)
  const early = cutAt === count ? 'cut' : 'ended-early'
  const end: StreamEnd = count < kept.length ? early : 'whole'
  return { events: kept.slice(0, count), end }
}

function toIndex(after: number | undefined, { length }: readonly Event[]): number {
  if (after === undefined) return length
  return after < 0 ? Math.max(0, length + after) : Math.min(after, length)
}
