// Each route loads what it needs when it is first asked: the daemon's start is on a cold sandbox's path.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { Fault } from '#kernel/fault.ts'
import type { AgentState } from '../weaver/api.ts'
import { activate } from './activate.ts'
import { fault } from './errors.ts'
import { absent, type Pod } from './pod.ts'
import { prepareCommand } from './prepare.ts'
import type { Snapped } from './snapshot.ts'
import { readJson, sendError, sendJson, whenGone } from './wire.ts'

type Route = {
  pod: Pod
  query: URLSearchParams
  request: IncomingMessage
  response: ServerResponse
}

const waitMsMax = 600_000
const recordingBytesMax = 4 * 1024 ** 2 // Of text: escaped, the tail alone could be six times as long.
const allBytes = Number.MAX_SAFE_INTEGER // The tail has its own limit.

const routes: Readonly<Record<string, (route: Route) => Promise<void>>> = {
  async 'POST /activate'({ pod, request, response }) {
    const { parseActivation } = await import('./requests.ts')
    const origin = await activate(pod, parseActivation(await readJson(request)))
    sendJson(response, 200, { origin })
    setImmediate(() => prepareCommand())
  },

  async 'PUT /checkout'({ pod, query, request, response }) {
    const { parseCommit } = await import('./requests.ts')
    const sha = parseCommit(query.get('sha'))
    const { checkOut } = await import('./checkout.ts')
    pod.checkout = await alone(pod, () => checkOut(pod, sha, request, whenGone(response)))
    sendJson(response, 200, { sha })
  },

  async 'POST /agent'({ pod, request, response }) {
    const { parseAgentStart } = await import('./requests.ts')
    const start = parseAgentStart(await readJson(request))
    const { startAgent } = await import('./agent.ts')
    if (pod.agent) throw fault('pod/agent-started')
    pod.agent = await alone(pod, () => startAgent(pod, start))
    sendJson(response, 202, pod.agent.state())
  },

  async 'GET /agent'({ pod, query, response }) {
    const { toBounded } = await import('./requests.ts')
    const { agent } = pod
    if (agent) await waitFor(agent.ended, toBounded(query.get('waitMs'), waitMsMax), response)
    sendJson(response, 200, stateOf(pod))
  },

  async 'DELETE /agent'({ pod, response }) {
    await pod.agent?.stop('stop')
    sendJson(response, 200, stateOf(pod))
  },

  async 'GET /agent/output'({ pod, query, response }) {
    if (!pod.agent) throw fault('pod/agent-absent')
    const { toBounded } = await import('./requests.ts')
    const bytesMax = query.has('tail') ? toBounded(query.get('tail'), allBytes) : allBytes
    const output = pod.agent.output.last(bytesMax)
    response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(output)
  },

  async 'GET /agent/recording'({ pod, response }) {
    if (!pod.agent) throw fault('pod/agent-absent')
    const recording = pod.agent.recording(recordingBytesMax)
    response.writeHead(200, { 'content-type': 'application/x-asciicast' }).end(recording)
  },

  async 'POST /exec'({ pod, request, response }) {
    const { parseExec } = await import('./requests.ts')
    const wanted = parseExec(await readJson(request))
    const { exec } = await import('./exec.ts')
    sendJson(response, 200, await exec(pod, wanted, whenGone(response)))
    setImmediate(() => prepareCommand())
  },

  async 'POST /snapshot'({ pod, request, response }) {
    const { parseSnapshot } = await import('./requests.ts')
    const wanted = parseSnapshot(await readJson(request))
    const { snapshot } = await import('./snapshot.ts')
    const snapped = await alone(pod, () => snapshot(pod, wanted, whenGone(response)))
    await sendSnapshot(response, snapped)
  },

  async 'GET /probes'({ query, response }) {
    const { probe } = await import('./probes.ts')
    sendJson(response, 200, probe(Object.fromEntries(query)))
  },
}

/** A checkout, a snapshot and the start of an agent each need the workspace to themselves. */
async function alone<T>(pod: Pod, work: () => Promise<T>): Promise<T> {
  if (pod.isWorkspaceBusy) throw fault('pod/busy', { say: 'The workspace is being worked on.' })
  pod.isWorkspaceBusy = true
  try {
    return await work()
  } finally {
    pod.isWorkspaceBusy = false
  }
}

const stateOf = ({ agent }: Pod): AgentState => agent?.state() ?? absent

/** Until the agent ended, the time is over, or the caller left. */
async function waitFor(ended: Promise<void>, waitMs: number, response: ServerResponse) {
  let over = () => {}
  const left = new Promise<void>((resolve) => {
    over = resolve
  })
  const limit = setTimeout(over, waitMs)
  response.once('close', over)
  await Promise.race([ended, left])
  clearTimeout(limit)
}

async function sendSnapshot(response: ServerResponse, snapped: Snapped): Promise<void> {
  const { sha, filesChanged, bundle, bundleBytes } = snapped
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'content-length': bundleBytes,
    'x-treadle-sha': sha,
    'x-treadle-files-changed': filesChanged,
  })
  if (!bundle) return void response.end()
  const { pipeline } = await import('node:stream/promises')
  await pipeline(bundle.createReadStream(), response)
}

/** Takes over the socket of a terminal. It alone may upgrade. */
export async function upgrade(pod: Pod, request: IncomingMessage, socket: Duplex, head: Buffer) {
  socket.on('error', () => socket.destroy()) // A caller that left before its terminal was there.
  try {
    const { pathname, searchParams: query } = new URL(request.url ?? '/', 'http://pod')
    if (pathname !== '/agent/terminal') throw fault('pod/route-absent')
    if (!pod.agent) throw fault('pod/agent-absent')
    const { attach } = await import('./terminal.ts')
    attach(pod.agent, { query, request, socket, head })
  } catch (error) {
    const {
      status,
      code,
      publicMessage: message,
    } = error instanceof Fault ? error : { status: 500, code: 'internal', publicMessage: 'Failed.' }
    const body = JSON.stringify({ code, message })
    socket.end(
      `HTTP/1.1 ${status} Refused\r\ncontent-type: application/json\r\n` +
        `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    )
  }
}

export async function answer(pod: Pod, request: IncomingMessage, response: ServerResponse) {
  try {
    const { pathname, searchParams: query } = new URL(request.url ?? '/', 'http://pod')
    const name = `${request.method} ${pathname}`
    const route = Object.hasOwn(routes, name) ? routes[name] : undefined
    if (!route) throw fault('pod/route-absent', { say: name })
    await route({ pod, query, request, response })
  } catch (error) {
    sendError(response, error)
  }
}
