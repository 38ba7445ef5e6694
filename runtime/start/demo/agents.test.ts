// Real agents as spool starts them, each pass a fresh process in a terminal, against the rehearsal model.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { spawn } from '@lydell/node-pty'
import { createLog } from '#kernel/log.ts'
import type { Wire } from '../../proxy/api.ts'
import type { LoggedCall } from '../../rehearsal/call-log.ts'
import { planUsage } from '../../rehearsal/script.ts'
import { findInstalled } from '../../spool/agents/programs.ts'
import { toAgentStart } from '../../spool/agents/start.ts'
import { NewLoop } from '../../spool/api.ts'
import { type Rehearsal, startRehearsal } from '../rehearsal.ts'
import { createDemoTask, type DemoName, toDemoLoop } from './demo.ts'

const app = fileURLToPath(new URL('../../..', import.meta.url))
const programs = { node: process.execPath, app, agents: findInstalled(app) }
const passMsMax = 60_000 // A pass takes about a second; a busy machine may need many.

describe('a real agent with the rehearsal model', () => {
  const work = mkdtempSync(join(tmpdir(), 'demo-agents-'))
  const keyFile = join(work, 'key')
  const token = 'sk-rehearsal-of-the-demo'
  let rehearsal: Rehearsal

  before(async () => {
    writeFileSync(keyFile, token)
    rehearsal = await startRehearsal(work, keyFile, createLog('silent', process.stderr))
  })
  after(async () => {
    await rehearsal[Symbol.asyncDispose]()
    rmSync(work, { recursive: true, force: true })
  })

  const readCalls = () =>
    readFileSync(join(work, 'calls.jsonl'), 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as LoggedCall)

  type Pass = { name: DemoName; agent: Agent; folder: string; wire: Wire }
  type Agent = 'builtin' | 'pi' | 'codex'

  /** A home of its own each time, as a fresh sandbox has. */
  async function runPass({ name, agent, folder, wire }: Pass): Promise<number> {
    const loop = NewLoop.parse({ ...toDemoLoop(name, folder), agent })
    const start = toAgentStart({ loop, wires: [wire], programs }, passMsMax)
    const fill = (text: string) => text.replaceAll('{{origin}}', rehearsal.url)
    const home = mkdtempSync(join(work, 'home-'))
    for (const { path, content } of start.files) {
      mkdirSync(dirname(join(home, path)), { recursive: true })
      writeFileSync(join(home, path), fill(content))
    }
    const [program, ...args] = start.argv.map(fill)
    const plain = { PATH: `${dirname(process.execPath)}:${process.env.PATH}`, HOME: home }
    const env = { ...plain, TREADLE_TOKEN: token, ...start.env }
    const terminal = spawn(program!, args, { cwd: folder, env, name: 'xterm-256color' })
    const cut = setTimeout(() => terminal.kill('SIGKILL'), passMsMax)
    const { exitCode } = await new Promise<{ exitCode: number }>(terminal.onExit)
    clearTimeout(cut)
    return exitCode
  }

  const isGreen = (folder: string) =>
    spawnSync(process.execPath, ['--test'], { cwd: folder, env: {} }).status === 0

  // Model calls of each pass: a look, the steps of the script, and the last words.
  const cases: [Agent, Wire, DemoName, number[]][] = [
    ['builtin', 'messages', 'fix-adder', [7, 7]],
    ['pi', 'messages', 'fix-adder', [7, 7]],
    ['pi', 'chat', 'fix-adder', [7, 7]],
    ['pi', 'responses', 'fix-adder', [7, 7]],
    ['pi', 'gemini', 'fix-adder', [7, 7]],
    ['codex', 'responses', 'fix-adder', [7, 7]],
    ['pi', 'messages', 'parse-duration', [8, 5]],
    ['builtin', 'messages', 'word-count', [7, 7, 7]],
  ]
  for (const [agent, wire, name, callsOfPasses] of cases) {
    test(`${agent} brings ${name} to green over ${wire}, in ${callsOfPasses.length} passes`, async () => {
      const folder = join(work, `${agent}-${wire}-${name}`)
      await createDemoTask(name, folder)
      for (const [pass, count] of callsOfPasses.entries()) {
        const before = readCalls().length
        assert.equal(await runPass({ name, agent, folder, wire }), 0)
        const calls = readCalls().slice(before)
        assert.deepEqual(
          calls.map(({ wire, status, end, usage }) => ({ wire, status, end, usage })),
          Array.from({ length: count }, (_, results) => {
            return { wire, status: 200, end: 'whole', usage: planUsage({}, results) }
          }),
        )
        assert.equal(isGreen(folder), pass === callsOfPasses.length - 1)
      }
    })
  }
})
