import type { Sandbox } from './api.ts'
import type { Started } from './backend/backend.ts'
import type { Place } from './backend/place.ts'
import type { Cut, Watched } from './watchdog.ts'

// A sandbox in memory. The table row follows; where they differ, the row is put right by the sweep.
//
// | state    | enters when                    | leaves when                  | at the latest |
// | -------- | ------------------------------ | ---------------------------- | ------------- |
// | starting | somebody asks, the pool fills  | it is up and measured        | startMsMax    |
// | warm     | it was started for the pool    | a request takes it           | lifeMsMax     |
// | ready    | it was activated for its asker | deleted, overdue, lost       | lifeMsMax     |
// | ended    | nothing of it is left          | never                        |               |
export type Entry = {
  id: string
  place: Place
  pid: number | null
  /** When that process started, as /proc/PID/stat has it. */
  pidStarted: string | null
  /** Settles when starting is over, well or not. */
  starting: Promise<unknown>
  started: Started | null
  /** As its asker was told of it; null while it is nobody's. */
  sandbox: Sandbox | null
  watched: Watched | null
  /** What ended its agent from outside. From then on nothing new starts in it. */
  cut: Cut | null
  /** What lay on disk when nothing of the agent ran any more. */
  bytesAtCut: number
  /** Epoch ms after which the agent is cut, whatever the daemon says. */
  agentDeadline: number | null
  line: AsyncDisposable | null
  /** Why it is being ended; the first reason stays. */
  endReason: string | null
  ending: Promise<void> | null
}
