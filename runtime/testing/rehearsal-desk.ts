// The rehearsal model of a running Treadle, from its own side of the desk: its log, and its faults.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LoggedCall } from '../rehearsal/call-log.ts'
import type { PlannedFault } from '../rehearsal/planned-fault.ts'

export const readCallLog = (state: string): LoggedCall[] =>
  readFileSync(join(state, 'rehearsal/calls.jsonl'), 'utf8')
    .split('\n')
    .filter((line) => line.endsWith('}')) // The last one may be half written: its writer was killed.
    .map((line) => JSON.parse(line) as LoggedCall)

/** `{}` ends what is planned. */
export async function planFault(state: string, fault: PlannedFault): Promise<void> {
  const { rehearsalUrl } = JSON.parse(readFileSync(join(state, 'instance.json'), 'utf8')) as {
    rehearsalUrl: string
  }
  const key = readFileSync(join(state, 'keys/rehearsal.key'), 'utf8')
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` }
  const body = JSON.stringify(fault)
  const response = await fetch(`${rehearsalUrl}/rehearsal/fault`, { method: 'POST', headers, body })
  if (!response.ok) throw new Error(`The fault was refused: ${await response.text()}`)
}
