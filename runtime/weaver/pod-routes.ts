// The daemon's surface, one route each: who may, what goes in, how much comes out.
import { setTimeout as sleep } from 'node:timers/promises'
import { type Request, type Response, Router } from 'express'
import { z } from 'zod'
import type { Action } from '#kernel/access.ts'
import { Fault } from '#kernel/fault.ts'
import { DaemonState } from './agent-state.ts'
import {
  AgentStart,
  type AgentState,
  Exec,
  type ExecResult,
  type Sandbox,
  Snapshot,
} from './api.ts'
import { allowed, liveOr, type RoutesDeps, readJson, toBody } from './asked.ts'
import type { Entry } from './entry.ts'
import { fault } from './errors.ts'
import { untilMute } from './mute.ts'
import { readBounded } from './pod-client.ts'
import { passIn, passOut, whenGone } from './streams.ts'

const waitMsMax = 60_000 // Of one long poll; the caller asks again.
const slackMs = 10_000 // What the daemon may take beyond the time it was given.
const stopMsMax = 15_000 // TERM, 3 s, KILL, and then some on a busy machine.
const gitMsMax = 600_000 // The largest repositories, on a slow disk.
const deathMsMax = 1_000
const outputBytesMax = 4 * 1024 * 1024 // As much as the daemon keeps, of bytes and of a recording.

const Sha = z.string().regex(/^[0-9a-f]{40}$/, 'Write a full commit id.')
const Ran = z.object({
  exit: z.int(),
  ms: z.number(),
  timedOut: z.boolean(),
  output: z.string(),
  outputBytes: z.number(),
})
const lostState: AgentState = {
  ...{ state: 'ended', exit: null, signal: null, cut: 'lost' },
  ...{ outputBytes: 0, startedAt: null, endedAt: null },
}

export function podRoutes(deps: RoutesDeps): Router {
  const { sandboxes, config } = deps
  const sandboxFor = (request: Request<{ id?: string }>, response: Response, action: Action) =>
    allowed(deps, response, action, request.params.id ?? '')
  const entryFor = async (request: Request<{ id?: string }>, response: Response, action: Action) =>
    liveOr(sandboxes, await sandboxFor(request, response, action))

  return Router()
    .use(outputRoutes(deps))
    .put('/api/sandboxes/:id/checkout', async (request, response) => {
      const { pod } = startable(await entryFor(request, response, 'sandbox:exec'))
      const sha = toBody(Sha, request.query.sha)
      const answer = await pod.json(z.object({ sha: Sha }), {
        ...{ method: 'PUT', path: `/checkout?sha=${sha}`, silentMsMax: gitMsMax },
        body: passIn(request, config.checkoutBytesMax),
        signal: whenGone(response),
      })
      response.json(answer)
    })
    .post('/api/sandboxes/:id/agent', readJson, async (request, response) => {
      const entry = await entryFor(request, response, 'sandbox:exec')
      const start = toBody(AgentStart, request.body)
      const state = await startable(entry).pod.json(DaemonState, {
        method: 'POST',
        path: '/agent',
        json: start,
      })
      entry.agentDeadline = deps.now().getTime() + start.timeMsMax + slackMs
      response.status(202).json(state)
    })
    .get('/api/sandboxes/:id/agent', async (request, response) => {
      const sandbox = await sandboxFor(request, response, 'sandbox:read')
      const waitMs = toWhole(request.query.waitMs, waitMsMax)
      const call = { path: `/agent?waitMs=${waitMs}`, silentMsMax: waitMs + slackMs }
      response.json(
        await askState(deps, sandbox, { ...call, method: 'GET', signal: whenGone(response) }),
      )
    })
    .delete('/api/sandboxes/:id/agent', async (request, response) => {
      const sandbox = await sandboxFor(request, response, 'sandbox:exec')
      response.json(
        await askState(deps, sandbox, { method: 'DELETE', path: '/agent', silentMsMax: stopMsMax }),
      )
    })
    .post('/api/sandboxes/:id/exec', readJson, async (request, response) => {
      const entry = await entryFor(request, response, 'sandbox:exec')
      const wanted = toBody(Exec, request.body)
      const result: ExecResult = await startable(entry).pod.json(Ran, {
        ...{ method: 'POST', path: '/exec', json: wanted, silentMsMax: wanted.timeoutMs + slackMs },
        signal: whenGone(response),
      })
      response.json(result)
    })
    .post('/api/sandboxes/:id/snapshot', readJson, async (request, response) => {
      const entry = await entryFor(request, response, 'sandbox:exec')
      const answer = await entry.started!.pod.call({
        ...{ method: 'POST', path: '/snapshot', json: toBody(Snapshot, request.body) },
        ...{ silentMsMax: gitMsMax, signal: whenGone(response) },
      })
      await passOut(answer, response, config.snapshotBytesMax)
    })
}

/** What the agent wrote: bytes that it chose, so never anything that a browser would run. */
function outputRoutes(deps: RoutesDeps): Router {
  const read = async (request: Request<{ id: string }>, response: Response, path: string) => {
    const sandbox = await allowed(deps, response, 'sandbox:read', request.params.id)
    const { pod } = liveOr(deps.sandboxes, sandbox).started!
    const answer = await pod.call({ method: 'GET', path })
    response.setHeader('x-content-type-options', 'nosniff')
    return readBounded(answer, outputBytesMax)
  }
  return Router()
    .get('/api/sandboxes/:id/agent/output', async (request, response) => {
      const tail = toWhole(request.query.tail ?? outputBytesMax, outputBytesMax)
      const output = await read(request, response, `/agent/output?tail=${tail}`)
      response.type('application/octet-stream').send(output)
    })
    .get('/api/sandboxes/:id/agent/recording', async (request, response) => {
      const recording = await read(request, response, '/agent/recording')
      response.type('application/x-asciicast').send(recording)
    })
}

function startable(entry: Entry) {
  if (entry.cut) throw fault('weaver/cut', { say: `Limit: ${entry.cut}.` })
  return entry.started!
}

type StateCall = {
  method: 'GET' | 'DELETE'
  path: string
  silentMsMax: number
  signal?: AbortSignal
}

/**
 * The daemon's word about its agent, corrected by what was seen from outside; without a daemon, the
 * latter alone. A daemon that has fallen silent ends its sandbox: nothing can be had from it.
 */
async function askState(
  { sandboxes }: RoutesDeps,
  sandbox: Sandbox,
  call: StateCall,
): Promise<AgentState> {
  const entry = sandboxes.find(sandbox.id)
  if (!entry?.started || entry.ending)
    return toLost(entry?.cut ?? entry?.endReason ?? sandbox.endReason)
  using silence = listenForSilence(entry)
  try {
    const signal = AbortSignal.any([silence.signal, ...(call.signal ? [call.signal] : [])])
    const state = await entry.started.pod.json(DaemonState, { ...call, signal })
    if (state.state === 'ended') entry.agentDeadline = null
    // A limit that was met while it runs on will end it at the next look.
    return state.state === 'ended' ? { ...state, cut: sandboxes.cutOf(entry) ?? state.cut } : state
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'weaver/pod-failed') throw error
    if (silence.signal.aborted) await sandboxes.end(entry.id, entry.cut ?? 'mute')
    // A daemon that dies breaks its sockets first; that it has ended is known a moment later.
    else await Promise.race([entry.started.ended, sleep(deathMsMax)])
    if (entry.endReason) return toLost(entry.cut ?? entry.endReason)
    throw error
  }
}

/** Its signal aborts once the daemon is mute. */
function listenForSilence(entry: Entry): Disposable & { signal: AbortSignal } {
  const heard = new AbortController()
  const over = new AbortController()
  untilMute(entry, over.signal).then(
    () => heard.abort(),
    () => {}, // The answer came first.
  )
  return { signal: heard.signal, [Symbol.dispose]: () => over.abort() }
}

const cuts = ['disk', 'memory', 'processes', 'time', 'mute']
const toLost = (reason: string | null | undefined): AgentState =>
  reason && cuts.includes(reason) ? { ...lostState, cut: reason } : lostState

const toWhole = (value: unknown, max: number): number =>
  Math.min(Math.max(Math.trunc(Number(value)) || 0, 0), max)
