// For tests alone: stand-ins for weaver and proxy with their HTTP surface. A sandbox is a temporary folder, and what
// runs in it runs for real on this machine, with no walls at all. The record of an agent's model calls is what the
// agent writes to `$HOME/record.json` itself.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { json, Router } from 'express'
import { createFaults } from '#kernel/fault.ts'
import { type Listening, listen } from '#kernel/http.ts'
import { createLog } from '#kernel/log.ts'
import type { SandboxRecord } from '../../proxy/api.ts'
import type {
  AgentStart,
  AgentState,
  Exec,
  ExecResult,
  NewSandbox,
  Snapshot,
} from '../../weaver/api.ts'

const fault = createFaults({
  'weaver/absent': { status: 404, text: 'No sandbox has this id.' },
  'weaver/full': { status: 503, text: 'Full.' },
  'weaver/no-start': { status: 503, text: 'The sandbox did not come up.' },
  'weaver/unavailable': { status: 503, text: 'This machine cannot isolate a sandbox.' },
  'pod/no-program': { status: 422, text: "The agent's program is not in the sandbox." },
  'pod/bundle-refused': { status: 422, text: 'Git does not take this bundle.' },
})

type Box = {
  asked: NewSandbox
  folder: string
  work: string
  home: string
  agent?: { process: ChildProcess; state: AgentState; output: Buffer[]; ended: Promise<void> }
}

export type Doubles = AsyncDisposable & {
  weaver: URL
  proxy: URL
  /** Every sandbox that was ever asked for. */
  asked: NewSandbox[]
  /** Sandboxes that are there now. */
  boxes: Map<string, Box>
  /** Answers of POST /api/sandboxes to come: each refuses once. */
  refuse: ('weaver/full' | 'weaver/no-start' | 'weaver/unavailable')[]
  /** Changes a snapshot's bundle on its way: what a hostile sandbox would send. */
  tamper: ((bundle: Buffer, box: Box) => { bundle: Buffer; sha?: string } | undefined) | undefined
  /** What an agent's recording is; undefined = this weaver has none. */
  recording: string | undefined
  /** Changes the record on its way. */
  record: ((record: SandboxRecord, asked: NewSandbox) => SandboxRecord) | undefined
}

const log = createLog('silent', process.stderr)
const nothingUsed = {
  ...{ inputTokens: 0, cachedTokens: 0, cacheWriteTokens: 0, cacheWrite1hTokens: 0 },
  ...{ outputTokens: 0, reasoningTokens: 0, serverToolCalls: {} },
}

export async function startDoubles(): Promise<Doubles> {
  const boxes = new Map<string, Box>()
  const gone = new Map<string, { asked: NewSandbox; record: SandboxRecord }>()
  const doubles = {
    asked: [] as NewSandbox[],
    boxes,
    refuse: [],
    tamper: undefined,
    recording: undefined,
    record: undefined,
  } as unknown as Doubles
  const weaver = await listen(weaverRoutes(doubles, gone), 0, log)
  const proxy = await listen(proxyRoutes(doubles, gone), 0, log)
  const owned: Listening[] = [weaver, proxy]
  return Object.assign(doubles, {
    weaver: weaver.url,
    proxy: proxy.url,
    async [Symbol.asyncDispose]() {
      for (const id of boxes.keys()) await remove(boxes, gone, id)
      await Promise.all(owned.map((one) => one[Symbol.asyncDispose]()))
    },
  })
}

type Gone = Map<string, { asked: NewSandbox; record: SandboxRecord }>

function proxyRoutes(doubles: Doubles, gone: Gone): Router {
  return Router()
    .get('/internal/wires', (_, response) => {
      response.json({ wires: ['messages', 'chat', 'responses'] })
    })
    .get('/internal/sandboxes/:id/record', (request, response) => {
      const { id } = request.params
      const box = doubles.boxes.get(id)
      const record = box ? readRecord(box) : (gone.get(id)?.record ?? emptyRecord)
      const asked = box?.asked ?? gone.get(id)?.asked
      response.json(asked && doubles.record ? doubles.record(record, asked) : record)
    })
}

const emptyRecord: SandboxRecord = {
  calls: 0,
  inFlight: 0,
  lastActiveAt: null,
  usage: nothingUsed,
  costNanoUsd: 0,
  last: null,
  denial: null,
}

function readRecord({ home }: Box): SandboxRecord {
  const file = join(home, 'record.json')
  if (!existsSync(file)) return emptyRecord
  try {
    const { last, ...rest } = JSON.parse(readFileSync(file, 'utf8')) as Partial<SandboxRecord>
    const answer = {
      status: 200,
      state: 'settled',
      stopReason: 'end_turn',
      toolCalls: 0,
      text: '',
      error: null,
      retryAfterS: null,
    } as const
    return { ...emptyRecord, calls: 1, ...rest, last: last ? { ...answer, ...last } : null }
  } catch {
    return emptyRecord // The agent is writing it at this moment.
  }
}

function weaverRoutes(doubles: Doubles, gone: Gone): Router {
  const { boxes } = doubles
  const find = (id: string) => {
    const box = boxes.get(id)
    if (!box) throw fault('weaver/absent')
    return box
  }
  return Router()
    .post('/api/sandboxes', json({ limit: '2mb' }), (request, response) => {
      const asked = request.body as NewSandbox
      doubles.asked.push(asked)
      const refusal = doubles.refuse.shift()
      if (refusal) throw fault(refusal)
      const id = randomUUID()
      boxes.set(id, createBox(asked))
      response.status(201).json({ id, ...asked, state: 'ready' })
    })
    .get('/api/sandboxes', (request, response) => {
      const found = [...boxes].filter(([, { asked }]) => asked.loop === request.query['loop'])
      response.json({ items: found.map(([id, { asked }]) => ({ id, ...asked })), cursor: null })
    })
    .put('/api/sandboxes/:id/checkout', async (request, response) => {
      const sha = String(request.query['sha'])
      await checkOut(find(request.params.id), sha, await buffer(request))
      response.json({ sha })
    })
    .post('/api/sandboxes/:id/agent', json({ limit: '2mb' }), async (request, response) => {
      await startAgent(find(request.params.id), request.body as AgentStart)
      response.status(202).json({})
    })
    .get('/api/sandboxes/:id/agent', async (request, response) => {
      const { agent } = find(request.params.id)
      const waited = new Promise((resolve) =>
        setTimeout(resolve, Number(request.query['waitMs'] ?? 0)),
      )
      await Promise.race([agent?.ended, waited])
      response.json(agent?.state ?? absent)
    })
    .delete('/api/sandboxes/:id/agent', async (request, response) => {
      const { agent } = find(request.params.id)
      if (agent?.state.state === 'running') {
        agent.state.cut = 'stop'
        endGroup(agent.process)
        await agent.ended
      }
      response.json(agent?.state ?? absent)
    })
    .get('/api/sandboxes/:id/agent/output', (request, response) => {
      const { agent } = find(request.params.id)
      response.end(Buffer.concat(agent?.output ?? []).subarray(-Number(request.query['tail'])))
    })
    .get('/api/sandboxes/:id/agent/recording', (request, response) => {
      find(request.params.id)
      if (doubles.recording === undefined) throw fault('weaver/absent')
      response.end(doubles.recording)
    })
    .post('/api/sandboxes/:id/exec', json(), async (request, response) => {
      const stop = new AbortController()
      response.on('close', () => stop.abort())
      response.json(await exec(find(request.params.id), request.body as Exec, stop.signal))
    })
    .post('/api/sandboxes/:id/snapshot', json(), async (request, response) => {
      const box = find(request.params.id)
      const taken = await snapshot(box, request.body as Snapshot)
      const changed = doubles.tamper?.(taken.bundle, box)
      response.setHeader('x-treadle-sha', changed?.sha ?? taken.sha)
      response.end(changed?.bundle ?? taken.bundle)
    })
    .delete('/api/sandboxes/:id', async (request, response) => {
      find(request.params.id)
      await remove(boxes, gone, request.params.id)
      response.status(204).end()
    })
}

const absent: AgentState = {
  state: 'absent',
  exit: null,
  signal: null,
  cut: null,
  outputBytes: 0,
  startedAt: null,
  endedAt: null,
}

function createBox(asked: NewSandbox): Box {
  const folder = mkdtempSync(join(tmpdir(), 'box-'))
  const [work, home] = [join(folder, 'work'), join(folder, 'home')]
  mkdirSync(work)
  mkdirSync(home)
  return { asked, folder, work, home }
}

async function remove(boxes: Map<string, Box>, gone: Gone, id: string): Promise<void> {
  const box = boxes.get(id)!
  gone.set(id, { asked: box.asked, record: readRecord(box) })
  boxes.delete(id)
  if (box.agent?.state.state === 'running') endGroup(box.agent.process)
  await box.agent?.ended
  rmSync(box.folder, { recursive: true, force: true })
}

const endGroup = ({ pid }: ChildProcess) => {
  try {
    process.kill(-pid!, 'SIGKILL')
  } catch {
    // It ended by itself at this moment.
  }
}

const environment = ({ home }: Box) => ({
  PATH: '/usr/bin:/bin',
  HOME: home,
  TREADLE_TOKEN: 'a-token',
})

async function startAgent(box: Box, { argv, env, files }: AgentStart): Promise<void> {
  for (const { path, content } of files) {
    mkdirSync(join(box.home, path, '..'), { recursive: true })
    writeFileSync(join(box.home, path), content)
  }
  const child = spawn(argv[0]!, argv.slice(1), {
    cwd: box.work,
    env: { ...environment(box), ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  await once(child, 'spawn').catch((cause: unknown) => {
    throw fault('pod/no-program', { cause })
  })
  const state: AgentState = { ...absent, state: 'running', startedAt: new Date().toISOString() }
  const output: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk))
  const ended = new Promise<void>((resolve) => {
    child.once('close', (exit, signal) => {
      Object.assign(state, { state: 'ended', exit, signal, endedAt: new Date().toISOString() })
      resolve()
    })
  })
  box.agent = { process: child, state, output, ended }
}

async function exec(
  box: Box,
  { argv, env, timeoutMs }: Exec,
  signal: AbortSignal,
): Promise<ExecResult> {
  const began = performance.now()
  const child = spawn(argv[0]!, argv.slice(1), {
    cwd: box.work,
    env: { ...environment(box), ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let timedOut = false
  const late = setTimeout(() => {
    timedOut = true
    endGroup(child)
  }, timeoutMs)
  signal.addEventListener('abort', () => endGroup(child))
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  clearTimeout(late)
  const output = Buffer.concat(chunks)
  const ms = Math.round(performance.now() - began)
  return {
    exit: timedOut ? 124 : (code ?? 137),
    ms,
    timedOut,
    output: output.toString(),
    outputBytes: output.length,
  }
}

/** As the pod daemon does it: nothing of the agent's own repository is looked at. */
async function snapshot(
  box: Box,
  { base, message }: Snapshot,
): Promise<{ sha: string; bundle: Buffer }> {
  const clean = join(box.folder, 'clean.git')
  rmSync(clean, { recursive: true, force: true })
  await hostGit(box, ['init', '--quiet', '--bare', clean])
  await hostGit(box, ['-C', clean, 'bundle', 'unbundle', join(box.folder, 'bundle')])
  const inClean = (...args: string[]) =>
    hostGit(box, [`--git-dir=${clean}`, `--work-tree=${box.work}`, ...args])
  await inClean('read-tree', base)
  await inClean('add', '--all')
  const tree = (await inClean('write-tree')).toString().trim()
  if (tree === (await inClean('rev-parse', `${base}^{tree}`)).toString().trim())
    return { sha: base, bundle: Buffer.alloc(0) }
  const sha = (await inClean('commit-tree', tree, '-p', base, '-m', message)).toString().trim()
  await inClean('update-ref', 'refs/heads/treadle', sha)
  const file = join(box.folder, 'out.bundle')
  await inClean('bundle', 'create', '--quiet', file, `^${base}`, 'refs/heads/treadle')
  return { sha, bundle: readFileSync(file) }
}

async function checkOut(box: Box, sha: string, bundle: Buffer): Promise<void> {
  const file = join(box.folder, 'bundle')
  writeFileSync(file, bundle)
  await hostGit(box, ['init', '--quiet', '--initial-branch=work', box.work])
  await hostGit(box, ['-C', box.work, 'bundle', 'unbundle', file])
  await hostGit(box, ['-C', box.work, 'reset', '--quiet', '--hard', sha])
}

async function hostGit(box: Box, args: string[]): Promise<Buffer> {
  const names = {
    GIT_AUTHOR_NAME: 'a',
    GIT_AUTHOR_EMAIL: 'a@b',
    GIT_COMMITTER_NAME: 'a',
    GIT_COMMITTER_EMAIL: 'a@b',
  }
  const env = { ...environment(box), ...names, GIT_CONFIG_GLOBAL: '/dev/null' }
  const child = spawn('git', args, { cwd: box.folder, env, stdio: ['ignore', 'pipe', 'inherit'] })
  const [output, [code]] = await Promise.all([buffer(child.stdout), once(child, 'close')])
  if (code !== 0) throw fault('pod/bundle-refused', { detail: args.join(' ') })
  return output
}
