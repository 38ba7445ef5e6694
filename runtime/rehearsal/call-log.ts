// The vendor's own record of what it served, to be compared with a ledger to the token.
import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs'
import type { Usage } from './script.ts'
import type { Wire } from './wires/wire.ts'

export type LoggedCall = {
  /** Stands in every id of the answer. */
  id: string
  /** When the request came. */
  at: string
  wire: Wire['name']
  model: string | null
  /** Null where none was sent. */
  status: number | null
  stream: boolean
  /** How it went: refused before an answer, or the answer's end. `left` = the client went first. */
  end: 'whole' | 'cut' | 'ended-early' | 'left' | 'refused'
  /** Why it was refused. */
  error: string | null
  /** What the call cost, also where the client did not hear of it. */
  usage: Usage | null
  usageSent: boolean
  /** Tool results shown: the place in the script. */
  results: number | null
  session: string | null
  agent: string | null
  requestId: string | null
  /** The request, where bodies are logged. */
  body?: unknown
}

export type CallLog = Disposable & { append(call: LoggedCall): void }

const fileBytesMax = 64 * 1024 * 1024 // Some 150,000 calls; with the file before it, twice that.

/**
 * One JSON line a call, in the file before `append` returns. Over its limit a file becomes FILE.1, in
 * place of an older one.
 */
export function openCallLog(path: string): CallLog {
  let file = openSync(path, 'a', 0o600)
  let bytes = fstatSync(file).size
  return {
    append(call) {
      if (bytes > fileBytesMax) {
        closeSync(file)
        renameSync(path, `${path}.1`)
        file = openSync(path, 'a', 0o600)
        bytes = 0
      }
      bytes += writeSync(file, `${JSON.stringify(call)}\n`)
    },
    [Symbol.dispose]: () => closeSync(file),
  }
}
