// One sandbox at weaver, and the proxy's record of it. What is safe to repeat is repeated while a peer is away.
import { createReadStream, createWriteStream } from 'node:fs'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Fault } from '#kernel/fault.ts'
import type { PeerCall, Peers } from '#kernel/peers.ts'
import type { SandboxRecord, Wire } from '../../proxy/api.ts'
import type {
  AgentStart,
  AgentState,
  Exec,
  ExecResult,
  NewSandbox,
  Sandbox,
} from '../../weaver/api.ts'
import type { NewLoop, Page } from '../api.ts'
import { fault } from '../errors.ts'
import { toStoredRecording } from '../recording.ts'
import { isUnanswered, isUnsent, withRetries } from './retry.ts'
import { EndsLoop, Waits } from './run.ts'

const awayMsMax = 60_000 // A peer that is away for longer fails the attempt.
const bundleMsMax = 600_000 // A gigabyte through git on a busy machine.
const slackMs = 15_000 // What a peer may take on top of the time it was asked for.

export type SandboxClient = {
  id: string
  checkout(sha: string, bundle: string): Promise<void>
  startAgent(start: AgentStart): Promise<void>
  /** Answers when the agent has ended, or after `waitMs`. */
  watch(waitMs: number, signal?: AbortSignal): Promise<AgentState>
  stopAgent(): Promise<AgentState>
  output(bytes: number): Promise<Buffer>
  /** The agent's terminal as a gzipped asciicast; undefined where weaver has none. */
  recording(): Promise<Buffer | undefined>
  /** The bundle lands in `file`; undefined = nothing changed. */
  snapshot(base: string, message: string, file: string): Promise<string | undefined>
  exec(exec: Exec, signal: AbortSignal): Promise<ExecResult>
  /** Tried again for `awayMs` at most while the proxy is away. */
  record(awayMs?: number): Promise<SandboxRecord | undefined>
}

/** What the daemon itself failed at, it fails at again. */
const isSnapshotUnanswered = (error: unknown) => isUnanswered(error) && !isPodFailure(error)
export const isPodFailure = (error: unknown) =>
  error instanceof Fault && error.code === 'weaver/pod-failed'

const gone = [401, 403, 404, 410]

/** The sandbox is there and won't do this: what stands in it, or what was asked, is the cause. */
export const isRefusal = (error: unknown): error is Fault =>
  error instanceof Fault &&
  (error.code.startsWith('pod/') || (error.status < 500 && !gone.includes(error.status)))

type Deps = { peers: Peers; signal: AbortSignal; bundleBytesMax: number }
type Passing = (error: unknown) => boolean

async function createSandbox(asked: NewSandbox, deps: Deps): Promise<SandboxClient> {
  const call = { method: 'POST', path: '/api/sandboxes', json: asked, silentMsMax: 60_000 } as const
  try {
    const { id } = await retrying(deps, isUnsent, () =>
      deps.peers.json<Sandbox>('weaver', { ...call, signal: deps.signal }),
    )
    return openSandbox(id, deps)
  } catch (error) {
    throw toRefusal(error)
  }
}

const noIsolation = ['weaver/unavailable', 'weaver/too-weak']

/** A sandbox that this machine will never give ends the loop; one that it can't give now makes it wait. */
function toRefusal(error: unknown): unknown {
  if (!(error instanceof Fault)) return error
  if (error.code === 'weaver/full') return new Waits(error.publicMessage)
  if (error.status === 403)
    return new EndsLoop('denied', `No sandbox: ${error.publicMessage}`, error)
  const isFinal = error.status < 500 || noIsolation.includes(error.code)
  return isFinal ? new EndsLoop('failed', `No sandbox: ${error.publicMessage}`, error) : error
}

export function openSandbox(id: string, deps: Deps): SandboxClient {
  const { peers, signal } = deps
  const path = (rest: string) => `/api/sandboxes/${encodeURIComponent(id)}${rest}`
  const json = <T>(passing: Passing, call: PeerCall) =>
    retrying(deps, passing, () => peers.json<T>('weaver', { signal, ...call }))
  return {
    id,
    async checkout(sha, bundle) {
      const call = {
        method: 'PUT',
        path: path(`/checkout?sha=${sha}`),
        silentMsMax: bundleMsMax,
      } as const
      await retrying(deps, isUnsent, async () =>
        drain(await peers.call('weaver', { ...call, body: createReadStream(bundle), signal })),
      )
    },
    async startAgent(start) {
      const call = { method: 'POST', path: path('/agent'), json: start, signal } as const
      await retrying(deps, isUnsent, async () => drain(await peers.call('weaver', call)))
    },
    watch: (waitMs, until) =>
      json(isUnanswered, {
        path: path(`/agent?waitMs=${waitMs}`),
        silentMsMax: waitMs + slackMs,
        ...(until && { signal: AbortSignal.any([signal, until]) }),
      }),
    stopAgent: () => json(isUnanswered, { method: 'DELETE', path: path('/agent') }),
    output: (bytes) =>
      retrying(deps, isUnanswered, () =>
        readBytes(peers, path(`/agent/output?tail=${bytes}`), bytes, signal),
      ),
    recording: () => readRecording(peers, path('/agent/recording'), signal),
    snapshot: (base, message, file) =>
      retrying(deps, isSnapshotUnanswered, () =>
        readSnapshot(path('/snapshot'), { base, message }, file, deps),
      ),
    exec: (exec, until) =>
      json(isUnsent, {
        method: 'POST',
        path: path('/exec'),
        json: exec,
        silentMsMax: exec.timeoutMs + slackMs,
        signal: AbortSignal.any([signal, until]),
      }),
    record: (msMax = awayMsMax) =>
      withRetries(() => readRecord(peers, id, signal), {
        isPassing: isUnanswered,
        msMax,
        signal,
      }),
  }
}

const retrying = <T>({ signal }: Deps, isPassing: Passing, work: () => Promise<T>) =>
  withRetries(work, { isPassing, msMax: awayMsMax, signal })

const drain = async (response: { body: { dump(): Promise<void> } }) => response.body.dump()

async function readBytes(
  peers: Peers,
  path: string,
  bytesMax: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const { body } = await peers.call('weaver', { path, signal })
  const bytes = await readUpTo(body, bytesMax * 2)
  return bytes.subarray(-bytesMax)
}

const recordingMsMax = 15_000 // Some megabytes; the agent's work must not wait for its film.

async function readRecording(
  peers: Peers,
  path: string,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const until = AbortSignal.any([signal, AbortSignal.timeout(recordingMsMax)])
  try {
    const { body } = await peers.call('weaver', { path, signal: until })
    return await toStoredRecording(body)
  } catch (error) {
    if (error instanceof Fault && error.status === 404) return undefined
    throw error
  }
}

async function readUpTo(body: AsyncIterable<Buffer>, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > bytesMax) break
  }
  return Buffer.concat(chunks)
}

async function readSnapshot(
  path: string,
  json: object,
  file: string,
  deps: Deps,
): Promise<string | undefined> {
  const { peers, signal, bundleBytesMax } = deps
  const call = { method: 'POST', path, json, silentMsMax: bundleMsMax, signal } as const
  const { headers, body } = await peers.call('weaver', call)
  const sha = String(headers['x-treadle-sha'] ?? '')
  let bytes = 0
  const limit = new Transform({
    transform(chunk: Buffer, _, done) {
      bytes += chunk.length
      const isOver = bytes > bundleBytesMax
      done(
        isOver ? fault('work/refused', { say: `It is over ${bundleBytesMax} bytes.` }) : null,
        chunk,
      )
    },
  })
  await pipeline(body, limit, createWriteStream(file, { mode: 0o600 }), { signal })
  if (bytes === 0) return undefined
  if (!/^[0-9a-f]{40}$/.test(sha)) throw fault('work/refused', { say: 'It names no commit.' })
  return sha
}

/** Undefined where the proxy knows nothing of this sandbox: it made no call. */
async function readRecord(
  peers: Peers,
  id: string,
  signal: AbortSignal,
): Promise<SandboxRecord | undefined> {
  try {
    const path = `/internal/sandboxes/${encodeURIComponent(id)}/record`
    return await peers.json<SandboxRecord>('proxy', { path, signal })
  } catch (error) {
    if (error instanceof Fault && error.status === 404) return undefined
    throw error
  }
}

/** The wires on which the loop's model is served: an agent that speaks several is told one of them. */
export async function readWires(
  { org, spec }: { org: string; spec: NewLoop },
  deps: Deps,
): Promise<readonly Wire[]> {
  const { model, provider } = spec
  const query = new URLSearchParams({ org, model, ...(provider !== undefined && { provider }) })
  const call = { path: `/internal/wires?${query}`, signal: deps.signal }
  const { wires } = await retrying(deps, isUnanswered, () =>
    deps.peers.json<{ wires: Wire[] }>('proxy', call),
  )
  return wires
}

const deleteMsMax = 8_000 // Within the process's drain; what is left is weaver's sweeper's.

/** Also after the lease is lost: a sandbox must not outlive its runner. Weaver's sweeper gets what this misses. */
export async function deleteSandbox(id: string, peers: Peers): Promise<void> {
  const call = { method: 'DELETE', path: `/api/sandboxes/${encodeURIComponent(id)}` } as const
  const signal = AbortSignal.timeout(deleteMsMax)
  const send = async () => drain(await peers.call('weaver', { ...call, signal }))
  await withRetries(send, { isPassing: isUnanswered, msMax: deleteMsMax, signal }).catch(() => {}) // As said above.
}

/** A fresh sandbox for the time of `work`; gone after it, whatever came. */
export async function withSandbox<T>(
  asked: NewSandbox,
  deps: Deps,
  work: (sandbox: SandboxClient) => Promise<T>,
): Promise<T> {
  const sandbox = await createSandbox(asked, deps)
  try {
    return await work(sandbox)
  } finally {
    await deleteSandbox(sandbox.id, deps.peers)
  }
}

/** What a runner that was killed left behind, also between a sandbox's birth and the note of its id. */
export async function deleteLeftovers(loop: string, { peers, signal }: Deps): Promise<void> {
  const path = `/api/sandboxes?state=ready&loop=${encodeURIComponent(loop)}`
  const list = () => peers.json<Page<Sandbox>>('weaver', { path, signal })
  const { items } = await withRetries(list, { isPassing: isUnanswered, msMax: awayMsMax, signal })
  await Promise.all(items.map(({ id }) => deleteSandbox(id, peers)))
}
