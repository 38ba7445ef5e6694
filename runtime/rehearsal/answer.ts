// Answers one model call: refuses it in the vendor's words, or sends the script's next turn.
import { createHash, randomUUID, timingSafeEqual } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Request, RequestHandler, Response } from 'express'
import type { Secret } from '#kernel/secret.ts'
import type { CallLog, LoggedCall } from './call-log.ts'
import { refusals } from './errors.ts'
import { type FaultSwitch, type PlannedFault, planStream } from './planned-fault.ts'
import { findScript } from './scripts/scripts.ts'
import { distinctResults, planTurn } from './turn.ts'
import {
  type Conversation,
  type Event,
  findUnpaired,
  type Refusal,
  type Wire,
} from './wires/wire.ts'

export type Desk = {
  key: Secret
  faults: FaultSwitch
  log: CallLog
  now: () => Date
  /** Every answer takes at least this long. */
  delayMs: number
  logsBodies: boolean
}

export const answerWith =
  (wire: Wire, desk: Desk): RequestHandler =>
  async (request, response) => {
    const call = beginCall(wire, request, desk)
    const serving = { wire, request, response, desk, call }
    const asked = parseCall(wire, request, desk.key)
    if (isRefusal(asked)) return refuse(asked, serving)
    call.model = asked.model
    call.stream = asked.stream
    call.results = distinctResults(asked).length
    const fault = desk.faults.take(request.path, asked.model)
    response.set(fault.headers ?? {})
    const stallMs = isCutShort(fault) ? 0 : fault.stallMs
    if (!(await waitWhileThere(response, stallMs))) return leave(desk, call)
    const planned = toPlannedRefusal(fault)
    if (planned) return refuse(planned, serving)
    await play(asked, fault, serving)
  }

type Serving = { wire: Wire; request: Request; response: Response; desk: Desk; call: LoggedCall }

function beginCall(wire: Wire, request: Request, { now, logsBodies }: Desk): LoggedCall {
  return {
    id: randomUUID().replaceAll('-', ''),
    at: now().toISOString(),
    wire: wire.name,
    model: null,
    status: null,
    stream: false,
    end: 'refused',
    error: null,
    usage: null,
    usageSent: false,
    results: null,
    session: request.get('session-id') ?? request.get('x-session-id') ?? null,
    agent: request.get('user-agent') ?? null,
    requestId: request.get('x-request-id') ?? null,
    ...(logsBodies && { body: request.body }),
  }
}

/** The request as the wire understands it, or the vendor's reason against it. */
function parseCall(wire: Wire, request: Request, key: Secret): Conversation | Refusal {
  if (!isKey(request, key)) return refusals.key
  if (wire.name === 'messages' && !request.get('anthropic-version')) return refusals.version
  const asked = wire.parse(request.body, request.path)
  if (isRefusal(asked)) return asked
  return findUnpaired(asked) ?? (findScript(asked.model) ? asked : refusals.model)
}

const isRefusal = (value: Conversation | Refusal): value is Refusal => 'status' in value

/** In any vendor's header, on every wire. */
export function isKey(request: Request, key: Secret): boolean {
  const bearer = /^Bearer (\S+)$/i.exec(request.get('authorization') ?? '')?.[1]
  const given = request.get('x-api-key') ?? request.get('x-goog-api-key') ?? bearer
  return given !== undefined && timingSafeEqual(digest(given), digest(key.reveal()))
}

const digest = (text: string) => createHash('sha256').update(text).digest()

function toPlannedRefusal({ status, message = 'A planned fault.', type, code }: PlannedFault) {
  if (status === undefined) return undefined
  return { status, message, ...(type && { type }), ...(code && { code }) }
}

const isCutShort = ({ cutAfter, endAfter }: PlannedFault) =>
  cutAfter !== undefined || endAfter !== undefined

function refuse(refusal: Refusal, { wire, response, desk, call }: Serving): void {
  const { status, message } = refusal
  desk.log.append({ ...call, status, end: 'refused', error: message })
  setRequestId(response, call.id)
  response.status(status).json(wire.toFailure(refusal, call.id))
}

/** Anthropic calls its header `request-id`; the other one, OpenAI's, is set for every answer. */
const setRequestId = (response: Response, id: string) => response.set('request-id', `req_${id}`)

const leave = ({ log }: Desk, call: LoggedCall) => log.append({ ...call, end: 'left' })

async function play(asked: Conversation, fault: PlannedFault, serving: Serving): Promise<void> {
  const { wire, request, response, desk, call } = serving
  const { step, turn } = planTurn(findScript(asked.model)!, asked, { id: call.id, at: desk.now() })
  call.usage = turn.usage
  if (!(await waitWhileThere(response, desk.delayMs + (step.waitMs ?? 0)))) return leave(desk, call)
  call.status = 200
  setRequestId(response, call.id)
  const isList = wire.name === 'gemini' && request.query.alt !== 'sse'
  const frame = isList ? listFrame : eventFrame
  if (asked.stream) return stream(wire.toEvents(turn, asked), fault, { ...serving, frame })
  if (isCutShort(fault)) return cutWhole(fault, serving)
  desk.log.append({ ...call, end: 'whole', usageSent: true })
  response.json(wire.toWhole(turn))
}

/** An answer that is no stream has no part that could come first: the client gets nothing. */
async function cutWhole({ stallMs }: PlannedFault, { response, desk, call }: Serving) {
  if (!(await waitWhileThere(response, stallMs))) return leave(desk, call)
  desk.log.append({ ...call, end: 'cut' })
  response.socket?.destroy()
}

/** How the events of a stream follow each other. `close` stands after a stream that ends in good order. */
type Frame = { contentType: string; toText(event: Event, index: number): string; close: string }

/** Server-sent events. Chat's have no name, and its last one is no JSON. */
const eventFrame: Frame = {
  contentType: 'text/event-stream; charset=utf-8',
  toText: ({ name, data }) =>
    `${name ? `event: ${name}\n` : ''}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`,
  close: '',
}

/** Gemini's streams, where nobody asks for events: an array that grows. */
const listFrame: Frame = {
  contentType: 'application/json; charset=utf-8',
  toText: ({ data }, index) => `${index === 0 ? '[' : ',\r\n'}${JSON.stringify(data, null, 2)}`,
  close: '\n]',
}

/** The log has the call before the last event is sent: whoever has read the answer finds it there. */
async function stream(all: Event[], fault: PlannedFault, serving: Serving & { frame: Frame }) {
  const { response, desk, call, frame } = serving
  const { events, end } = planStream(all, fault)
  response.set({ 'content-type': frame.contentType, 'cache-control': 'no-cache' })
  response.flushHeaders()
  const texts = events.map(frame.toText)
  for (const text of texts.slice(0, -1)) response.write(text)
  if (end !== 'whole' && !(await waitWhileThere(response, fault.stallMs))) return leave(desk, call)
  desk.log.append({ ...call, end, usageSent: events.some(({ usage }) => usage) })
  const last = texts.at(-1) ?? ''
  if (end === 'cut') response.write(last, () => response.socket?.end())
  else response.end(last + frame.close)
}

/** False where the client went in the meantime. */
async function waitWhileThere(response: Response, ms = 0): Promise<boolean> {
  if (ms === 0) return !response.destroyed
  const left = new AbortController()
  const leave = () => left.abort()
  response.once('close', leave)
  try {
    await sleep(ms, undefined, { signal: left.signal })
  } catch {
    return false // Only a client that leaves ends the wait early.
  } finally {
    response.off('close', leave)
  }
  return true
}
