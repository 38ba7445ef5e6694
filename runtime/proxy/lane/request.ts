// The head of a request as the fast lane knows it. The grammar stands in README.md; what is not plainly in it is not refused here
// but left to the general lane.
import { headEnd, readFields, readLength } from '../fields.ts'

export type RequestHead = {
  method: string
  target: string
  headers: string[]
  /** Of the body. */
  length: number
  /** The client wants the connection to end after the answer. */
  isClosing: boolean
  /** Of the head, with its blank line. */
  bytes: number
}

export const headBytesMax = 64 * 1024 // Codex sends its workspace's paths and more in one header.

const requestLine = /^(POST|GET|HEAD) (\/[\w.~!$&'()*+,;=:@%/?-]*) HTTP\/1\.1\r\n/
const bareLineFeed = /(?:^|[^\r])\n/
const beginnings = ['POST /', 'GET /', 'HEAD /']

/** `more` = it is no whole head yet; `general` = it isn't plainly in the subset. */
export function readRequestHead(data: Buffer): RequestHead | 'more' | 'general' {
  const end = data.indexOf(headEnd)
  if (end < 0) return mayBecomeOne(data) ? 'more' : 'general'
  if (end > headBytesMax) return 'general'
  const text = data.toString('latin1', 0, end + headEnd.length)
  const line = requestLine.exec(text)
  const headers = line && readFields(text, line[0].length)
  const framing = headers && readFraming(headers)
  if (!framing) return 'general'
  return { method: line![1]!, target: line![2]!, headers: headers!, bytes: text.length, ...framing }
}

/** What can no more become a head of the subset need not be waited for. */
function mayBecomeOne(data: Buffer): boolean {
  if (data.length > headBytesMax) return false
  const text = data.toString('latin1')
  const isBegun = beginnings.some((one) => text.startsWith(one) || one.startsWith(text))
  return isBegun && !bareLineFeed.test(text)
}

/** Null = not plainly in the subset. */
function readFraming(headers: readonly string[]): { length: number; isClosing: boolean } | null {
  let length = -1
  let isClosing = false
  let hosts = 0
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    switch (name.length) {
      case 4:
        if (name.toLowerCase() === 'host') hosts += 1
        break
      case 10: {
        if (name.toLowerCase() !== 'connection') break
        const value = headers[i + 1]!.toLowerCase()
        if (value !== 'keep-alive' && value !== 'close') return null
        isClosing ||= value === 'close'
        break
      }
      case 14:
        if (name.toLowerCase() !== 'content-length') break
        if (length >= 0) return null
        length = readLength(headers[i + 1]!) ?? -1
        if (length < 0) return null
        break
      case 6:
      case 7:
      case 17:
        if (outside.has(name.toLowerCase())) return null
    }
  }
  return hosts === 1 ? { length: Math.max(0, length), isClosing } : null
}

const outside = new Set(['expect', 'upgrade', 'trailer', 'transfer-encoding'])
