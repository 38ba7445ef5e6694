// The daemon's word about its agent. The agent may have become the daemon: what weaver knows better, such as a limit that
// was met or a sandbox that is lost, it is not asked about.
import { z } from 'zod'

const Time = z.iso.datetime().max(40)

export const DaemonState = z.object({
  state: z.enum(['absent', 'running', 'ended']),
  exit: z.int().min(0).max(255).nullable(),
  signal: z
    .string()
    .regex(/^SIG\w{1,17}$/)
    .nullable(),
  cut: z.enum(['stop', 'time']).nullable(),
  outputBytes: z.int().min(0),
  startedAt: Time.nullable(),
  endedAt: Time.nullable(),
})
