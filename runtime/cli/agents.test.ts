// `treadle agent list` and `agent test` against a front door on a real socket; the repository they make is real.
import assert from 'node:assert/strict'
import { existsSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { AgentInfo, NewLoopInput, Pass } from '../spool/api.ts'
import { events, loop, pass, run, startInstance, type TestInstance, toLines } from './testing.ts'

const agent: AgentInfo = {
  name: 'gemini',
  title: 'Gemini CLI',
  state: 'ready',
  version: '0.62.0',
  provedVersion: '0.61.0',
  proof: 'real program',
  wires: ['gemini'],
  from: '/usr/bin/gemini',
  licence: 'Apache-2.0',
  memoryBytes: 400 * 1024 ** 2,
  token: 'kept from its commands',
  exits: { 41: 'its sign-in is not set up' },
  fix: null,
}
const absent: AgentInfo = {
  ...agent,
  name: 'claude',
  title: 'Claude Code',
  state: 'missing',
  version: null,
  proof: 'recorded conversation',
  provedVersion: '2.1.330',
  from: null,
  fix: 'Install it \u001b[31m(npm), then start Treadle again.',
}

describe('agents', () => {
  let instance: TestInstance
  before(async () => {
    instance = await startInstance({
      'GET /api/agents': { items: [agent, absent], cursor: null },
      'POST /api/loops': loop,
      'GET /api/loops/l-1/output': (_, response) =>
        void response.end('last\r\nwords \u001b[2J\r\n'),
    })
  })
  after(() => instance[Symbol.asyncDispose]())

  const treadle = (...argv: string[]) => run(instance.folder, ['agent', ...argv])
  const play = (passes: Partial<Pass>[], ending: 'done' | 'stuck') => {
    const seen = passes.map((each, at) => {
      return { ...events.pass, seq: 2 + at, pass: { ...pass, ...each, pass: at + 1 } }
    })
    const end = { ...events.ended, seq: 9, ending, exitCode: ending === 'done' ? 0 : 20 }
    instance.routes['GET /api/loops/l-1/events'] = (_, response) =>
      void response.end(toLines(events.started, ...seen, end))
  }
  const submitted = () =>
    instance.asked.findLast(({ method }) => method === 'POST')!.body as NewLoopInput

  test('are listed with what is found, what is proved, and what to do for the rest', async () => {
    const { stdout, code } = await treadle('list')
    assert.equal(code, 0)
    assert.match(
      stdout,
      /^gemini +ready +0\.62\.0 +0\.61\.0 +gemini +400 MiB +\/usr\/bin\/gemini$/m,
    )
    assert.match(stdout, /^claude +missing +- +2\.1\.330\*/m)
    assert.match(stdout, /^claude: Install it \\x1b\[31m\(npm\), then start Treadle again\.$/m)
    const { stdout: json } = await treadle('list', '--json')
    assert.deepEqual(JSON.parse(json).items, [agent, absent])
  })

  test('are proved by a loop on a repository of its own, which is gone when all is green', async () => {
    play([{ gates: [{ ...pass.gates[0]!, exit: 1 }] }, { gates: [pass.gates[0]!] }], 'done')
    const { stdout, code } = await treadle('test', 'gemini')
    assert.equal(code, 0, stdout)
    assert.match(
      stdout,
      /^✓ program +Gemini CLI 0\.62\.0 from \/usr\/bin\/gemini, proved with 0\.61\.0$/m,
    )
    assert.match(stdout, /^✓ pass +1: 1a2b3c4d +lint ✗ +12\.3k tokens +exit 0$/m)
    assert.match(stdout, /^✓ result +done: All gates are green\. Branch treadle\/fix-login-1\.$/m)
    const { agent: name, model, repository } = submitted()
    assert.deepEqual([name, model], ['gemini', 'rehearsal/fix-adder'])
    assert.equal(existsSync(repository), false)
  })

  test('that fail say at which step, what the exit means, and what was written last', async () => {
    const usage = { inputTokens: 0, cachedTokens: 0, outputTokens: 0 }
    play([{ agentExit: 41, usage, gates: [] }], 'stuck')
    const { stdout, stderr, code } = await treadle('test', 'gemini', '--model', 'gemini-x')
    assert.equal(code, 1)
    assert.match(
      stdout,
      /^✗ pass +1: .* exit 41 \(its sign-in is not set up\) +it asked no model$/m,
    )
    assert.match(stdout, /^✗ result +stuck:/m)
    assert.match(stderr, /^ {2}last.*\n {2}words \\x1b\[2J/m)
    const { model, repository } = submitted()
    assert.equal(model, 'gemini-x')
    assert.equal(existsSync(repository), true, 'it is kept to be looked at')
    rmSync(dirname(repository), { recursive: true })
  })

  test('give a line of JSON for each step', async () => {
    play([{}], 'done')
    const { stdout } = await treadle('test', 'gemini', '--json')
    const steps = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { step: string })
    assert.deepEqual(
      steps.map(({ step }) => step),
      ['program', 'repository', 'loop', 'pass', 'result'],
    )
  })

  test('that are missing are not tried', async () => {
    const before = instance.asked.length
    const { stdout, code } = await treadle('test', 'claude')
    assert.equal(code, 1)
    assert.match(stdout, /^✗ program +Claude Code: Install it/m)
    assert.equal(instance.asked.length, before + 1)
  })

  test('that there are not are wrong use', async () => {
    const { stderr, code } = await treadle('test', 'gem')
    assert.equal(code, 2)
    assert.match(stderr, /No agent is called gem\. There are: gemini, claude\./)
  })
})
