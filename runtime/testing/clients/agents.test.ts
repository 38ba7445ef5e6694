// The agents' own programs at the proxy's public port, with the configuration that their profiles write: how often each asks
// when it is denied, told to wait, refused by the vendor, and when the vendor is overloaded, and what a person then reads.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Writable } from 'node:stream'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createLog } from '#kernel/log.ts'
import type { Wire } from '../../proxy/api.ts'
import { clientKey, type Stage, startStage, until } from '../../proxy/testing/stage.ts'
import type { AgentName } from '../../spool/agents/profiles.ts'
import { findInstalled } from '../../spool/agents/programs.ts'
import { toAgentStart } from '../../spool/agents/start.ts'
import type { NewLoop } from '../../spool/api.ts'
import { startPostgres } from '../postgres.ts'
import { readFastShare } from './lanes.ts'
import { answerAsVendor, hello, refusal } from './vendor.ts'

const app = fileURLToPath(new URL('../../../', import.meta.url)).replace(/\/$/, '')
const runMsMax = 120_000 // One that takes longer asks for ever.
// The proxy's clock stands here: two seconds before a minute ends, and with it the wait that a budget by the minute asks for.
const atMs = Math.floor(Date.now() / 60_000) * 60_000 + 58_000
const endings = ['-400', '-busy', '-spent', '-wait'] as const

const driven: readonly (readonly [AgentName, Wire])[] = [
  ['opencode', 'messages'], // The slowest ones first.
  ['gemini', 'gemini'],
  ['codex', 'responses'],
  ['pi', 'messages'],
  ['pi', 'chat'],
  ['pi', 'responses'],
  ['pi', 'gemini'],
]

describe('agents at the public port', () => {
  const owned = new AsyncDisposableStack()
  let stage: Stage
  let logged = ''
  const homes = mkdtempSync(join(tmpdir(), 'clients-'))
  owned.defer(() => rmSync(homes, { recursive: true, force: true }))
  const modelOf = (agent: AgentName, wire: Wire, end: string) => `plain-${agent}-${wire}${end}`
  before(async () => {
    const kept = new Writable({
      write(chunk: Buffer, _encoding, done) {
        logged += chunk
        done()
      },
    })
    const postgres = owned.use(await startPostgres())
    const log = createLog('info', kept)
    stage = owned.use(await startStage({ postgres, log, now: () => new Date(atMs) }))
    const models = driven.flatMap(([agent, wire]) =>
      endings.map((end) => modelOf(agent, wire, end)),
    )
    for (const kind of ['anthropic', 'openai', 'gemini'] as const) {
      await stage.addProvider({ name: kind, kind, models })
    }
    for (const model of models) {
      if (model.endsWith('-spent')) await addBudget(model, 'total')
      if (model.endsWith('-wait')) await addBudget(model, 'minute')
    }
    stage.upstream.state.script = answerAsVendor
  })
  after(() => owned.disposeAsync())

  /** It has room for no call at all. */
  async function addBudget(model: string, window: 'total' | 'minute'): Promise<void> {
    const budget = { level: 'model', subject: model, unit: 'tokens', amount: 1, window }
    const added = await stage.admin('POST', '/api/budgets', { name: model, zone: 'UTC', ...budget })
    assert.equal(added.status, 201, await added.text())
  }

  async function run(agent: AgentName, wire: Wire, model: string): Promise<string> {
    const home = join(homes, `${agent}-${wire}`) // Kept between runs: some unpack themselves in their first one.
    const programs = { node: process.execPath, app, agents: findInstalled(app) }
    const loop = { agent, model, prompt: 'Say hello.' } as NewLoop
    const { argv, env, files } = toAgentStart({ loop, wires: [wire], programs }, runMsMax)
    const here = (text: string) => text.replaceAll('{{origin}}', stage.url.origin)
    for (const { path, content } of files) {
      mkdirSync(dirname(join(home, path)), { recursive: true })
      writeFileSync(join(home, path), here(content))
    }
    const own = Object.entries(env).map(([name, text]) => [name, here(text)])
    const [command, ...args] = argv
    const child = spawn(command!, args, {
      cwd: home,
      env: {
        ...{
          HOME: home,
          PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
          TREADLE_TOKEN: clientKey,
        },
        ...Object.fromEntries(own),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: runMsMax,
      killSignal: 'SIGKILL',
    })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        said += chunk
      })
    }
    const [, signal] = await new Promise<[number | null, string | null]>((resolve) =>
      child.once('close', (code, by) => resolve([code, by])),
    )
    assert.equal(signal, null, `it never ended: ${said.slice(-2_000)}`)
    return said
  }

  const sentFor = (model: string) =>
    stage.upstream.seen.filter(({ url, body }) => `${url}${body}`.includes(model)).length
  const refusedFor = (words: string) => logged.split(words).length - 1

  describe('each', { concurrency: 3 }, () => {
    for (const [agent, wire] of driven)
      describe(`${agent} over ${wire}`, { concurrency: 1 }, () => {
        test(`${agent} over ${wire} stops at once when it is denied, and shows why`, async () => {
          const model = modelOf(agent, wire, '-nobody')
          const said = await run(agent, wire, model)
          assert.match(said, /No provider serves this model here/, said)
          assert.equal(refusedFor(`lists ${model} on`), 1, said)
        })

        test(`${agent} over ${wire} stops at once when its budget is spent, and shows who can raise it`, async () => {
          const model = modelOf(agent, wire, '-spent')
          const said = await run(agent, wire, model)
          assert.match(said, /A budget of tokens has no room for this call/, said)
          assert.ok(said.includes(`can raise it: treadle budget set ${model}`), said)
          assert.equal(refusedFor(`Budget ${model} (`), 1, said)
          assert.equal(sentFor(model), 0, said)
        })

        test(`${agent} over ${wire} asks again after it is told to wait, and has its answer`, async () => {
          const model = modelOf(agent, wire, '-wait')
          const running = run(agent, wire, model)
          await until(() => refusedFor(`Budget ${model} (`) > 0, runMsMax)
          await stage.admin('DELETE', `/api/budgets/${model}`)
          const said = await running
          assert.ok(said.includes(hello), said)
          assert.equal(refusedFor(`Budget ${model} (`), 1, said)
          assert.equal(sentFor(model), 1, said)
        })

        test(`${agent} over ${wire} stops at once when the vendor refuses, and shows the vendor's words`, async () => {
          const model = modelOf(agent, wire, '-400')
          const said = await run(agent, wire, model)
          assert.ok(said.includes(refusal), said)
          assert.equal(sentFor(model), 1, said)
        })

        test(`${agent} over ${wire} asks once more when the vendor is overloaded, and has its answer`, async () => {
          const model = modelOf(agent, wire, '-busy')
          const said = await run(agent, wire, model)
          assert.ok(said.includes(hello), said)
          assert.equal(sentFor(model), 2, said)
        })
      })
  })

  test('what agents send is plain enough for the fast lane', async () => {
    const { requests, share } = await readFastShare(stage)
    assert.ok(requests >= 40 && share >= 0.99, `${share} of ${requests}`)
  })
})
