// The text of an answer's head, as node:http would write it.
import { STATUS_CODES } from 'node:http'
import type { RawHeaders } from '../exchange.ts'

const lines = new Map<number, string>()
function statusLine(status: number): string {
  const known = lines.get(status)
  if (known !== undefined) return known
  const made = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n`
  lines.set(status, made)
  return made
}

let dateText = ''
let dateUntilMs = 0

/** A Date header is whole seconds (RFC 9110 section 6.6.1), so its text is made once a second. */
function dateLine(): string {
  const now = Date.now()
  if (now >= dateUntilMs) {
    dateText = `date: ${new Date(now).toUTCString()}\r\n`
    dateUntilMs = now - (now % 1_000) + 1_000
  }
  return dateText
}

export type AnswerHead = {
  text: string
  hasLength: boolean
  /** The connection ends after the answer. */
  isClosing: boolean
}

export type Ending = {
  isClosing: boolean
  keepAliveS: number
  /** Adds `transfer-encoding: chunked` where no length is among the headers. */
  mayChunk: boolean
}

export function toAnswerHead(status: number, headers: RawHeaders, ending: Ending): AnswerHead {
  let text = statusLine(status)
  let hasLength = false
  let hasDate = false
  let { isClosing } = ending
  let connection: string | null = null
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    const value = headers[i + 1]!
    if (name.length === 14) hasLength ||= name.toLowerCase() === 'content-length'
    else if (name.length === 4) hasDate ||= name.toLowerCase() === 'date'
    else if (name.length === 10 && name.toLowerCase() === 'connection') {
      isClosing ||= value.includes('close')
      connection = value
      continue
    }
    text += `${name}: ${value}\r\n`
  }
  if (!hasDate) text += dateLine()
  if (!hasLength && ending.mayChunk) text += 'transfer-encoding: chunked\r\n'
  text += isClosing
    ? `connection: ${connection ?? 'close'}\r\n\r\n`
    : `connection: keep-alive\r\nkeep-alive: timeout=${ending.keepAliveS}\r\n\r\n`
  return { text, hasLength, isClosing }
}
