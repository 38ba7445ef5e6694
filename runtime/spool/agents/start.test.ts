import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import type { Wire } from '../../proxy/api.ts'
import { AgentStart } from '../../weaver/api.ts'
import { NewLoop, type NewLoopInput } from '../api.ts'
import { newLoop } from '../testing/scene.ts'
import { type AgentName, agentNames, profiles } from './profiles.ts'
import type { Agents, Programs } from './programs.ts'
import { toAgentStart } from './start.ts'

const allWires: readonly Wire[] = ['messages', 'chat', 'responses', 'gemini']
const found = {
  place: 'installation',
  version: '1',
  from: '',
  env: { PLACE: '{{app}}/x' },
} as const
const agents = Object.fromEntries(
  agentNames.map((name) => [name, { ...found, run: ['{{node}}', `{{app}}/${name}`] }]),
) as Agents
const programs: Programs = {
  node: '/opt/treadle/node/bin/node',
  app: '/opt/treadle/app',
  agents,
}
const start = (change: Partial<NewLoopInput>, wires = allWires, has = programs) =>
  toAgentStart({ loop: NewLoop.parse(newLoop('/x', change)), wires, programs: has }, 60_000)
const hostile = '-rf @file {{model}} {{node}} "; touch /tmp/owned; $(id)'
const fileOf = (made: AgentStart, ending: string) =>
  made.files.find(({ path }) => path.endsWith(ending))!.content

describe('how agents are started', () => {
  test('an agent of a loop of many days has the longest time that a daemon takes', () => {
    const task = { loop: NewLoop.parse(newLoop('/x')), wires: allWires, programs }
    assert.equal(toAgentStart(task, 60 * 86_400_000).timeMsMax, 2 ** 31 - 1)
    assert.equal(toAgentStart(task, 60_000).timeMsMax, 60_000)
  })

  for (const agent of agentNames) {
    test(`${agent} gets the prompt as a file, and nothing of it in its arguments`, () => {
      const made = start({ agent, prompt: hostile })
      AgentStart.parse(made)
      assert.equal(fileOf(made, '.treadle/prompt.md'), hostile)
      assert.ok(made.argv.every((part) => !part.includes('touch')))
      assert.deepEqual(made.argv.slice(4, 6), [
        '/opt/treadle/node/bin/node',
        `/opt/treadle/app/${agent}`,
      ])
      assert.equal(made.env.PLACE, '/opt/treadle/app/x')
    })

    test(`${agent} gets no credential: the token comes from the sandbox`, () => {
      const text = JSON.stringify(start({ agent })).replaceAll('TREADLE_TOKEN', '')
      assert.doesNotMatch(text, /token"|sk-|secret|\{\{(?!origin)/i)
    })

    test(`${agent} is told a wire that the model is served on, and none other`, () => {
      const { wires } = profiles[agent]
      for (const { wire, base, api } of wires) {
        const text = JSON.stringify(start({ agent }, [wire]))
        assert.ok(text.includes(base) && !text.includes('{{base}}'), text)
        if (wires.length > 1) assert.ok(text.includes(api), text)
      }
      const others = allWires.filter((wire) => !wires.some((choice) => choice.wire === wire))
      if (others.length === 0) return
      assert.throws(() => start({ agent }, others), {
        code: 'agent/wire',
        publicMessage: new RegExp(`speaks ${wires[0]!.wire}.* served on ${others.join(', ')}\\.`),
      })
      assert.ok(start({ agent }, [])) // The proxy knows better why.
    })

    test(`a model's name breaks out of no configuration of ${agent}`, () => {
      const names = [
        'x"\nbase_url = "http://evil',
        '"}],"x":[{"',
        '{env:TREADLE_TOKEN}{file:/etc/passwd}',
        '$TREADLE_TOKEN {{origin}} {{base}}',
        '__proto__',
        'constructor',
        '\u007f\u2028\\',
      ]
      for (const model of names) {
        for (const { wire } of profiles[agent].wires) {
          const made = start({ agent, model }, [wire])
          const plain = start({ agent, model: 'm' }, [wire])
          for (const [at, { path, content }] of made.files.entries()) {
            if (path.endsWith('.json')) assertSameButModel(content, plain.files[at]!.content, model)
            if (path.endsWith('.toml')) {
              assert.equal(content.split('\n').length, plain.files[at]!.content.split('\n').length)
              assert.doesNotMatch(content, /\{env|\{file|\u007f/)
            }
          }
          assert.equal(made.argv.length, plain.argv.length)
          assert.deepEqual(Object.keys(made.env), Object.keys(plain.env))
        }
      }
    })
  }

  /** The hostile file means what the plain one does, with one name in the place of the other. */
  function assertSameButModel(hostileText: string, plainText: string, model: string): void {
    assert.doesNotMatch(hostileText.replaceAll('{env:TREADLE_TOKEN}', ''), /\{env:|\{file:/)
    const swap = (value: unknown): unknown => {
      if (typeof value === 'string') return value.replace(/(?<![a-z])m$/, () => model)
      if (Array.isArray(value)) return value.map(swap)
      if (value === null || typeof value !== 'object') return value
      return Object.fromEntries(Object.entries(value).map(([key, each]) => [swap(key), swap(each)]))
    }
    assert.deepEqual(JSON.parse(hostileText), swap(JSON.parse(plainText)))
  }

  test('a prompt of any length and shape reaches a program on its input, or by its path', () => {
    const home = mkdtempSync(join(tmpdir(), 'home-'))
    const prompt = `${hostile}\n${'x'.repeat(199_000)}`
    for (const agent of ['builtin', 'codex', 'gemini', 'openhands'] as const) {
      const { argv, files } = start({ agent, prompt })
      for (const { path, content } of files) {
        mkdirSync(dirname(join(home, path)), { recursive: true })
        writeFileSync(join(home, path), content)
      }
      // The same shell line with a program that shows what it got instead of the agent.
      const [program, flag, line, name] = argv
      const isInput = profiles[agent].prompt === 'on its input'
      const shown = isInput ? ['cat'] : ['cat', '--']
      const env = { HOME: home, PATH: '/usr/bin:/bin', TREADLE_TOKEN: 'the token' }
      const ran = spawnSync(program!, [flag!, line!, name!, ...shown], { env })
      assert.equal(ran.stdout.toString(), prompt)
    }
    rmSync(home, { recursive: true })
  })

  test('the token moves to where an agent looks for its key, and stands nowhere else', () => {
    for (const name of agentNames) {
      const [program, flag, line, first] = start({ agent: name }).argv
      const { tokenVariable = 'TREADLE_TOKEN' } = profiles[name]
      const env = { HOME: '/dev', PATH: '/usr/bin:/bin', TREADLE_TOKEN: 'the token' }
      const ended = line!.replace(/(< )?"\$HOME.*$/, '')
      const { stdout } = spawnSync(program!, [flag!, ended, first!, 'env'], { env })
      const seen = stdout.toString().split('\n')
      assert.deepEqual(
        seen.filter((each) => each.includes('the token')),
        [`${tokenVariable}=the token`],
      )
    }
  })

  test('pi speaks Messages where the model is served on it, and chat elsewhere', () => {
    const api = (wires: readonly Wire[]) =>
      JSON.parse(fileOf(start({ agent: 'pi' }, wires), 'models.json')).providers.treadle.api
    assert.deepEqual(
      ([allWires, ['messages'], ['chat', 'responses'], ['gemini']] as const).map(api),
      ['anthropic-messages', 'anthropic-messages', 'openai-completions', 'google-generative-ai'],
    )
  })

  test('codex is configured by tables that hold what stood in them', () => {
    const config = fileOf(start({ agent: 'codex', model: 'gpt-x' }), 'config.toml')
    assert.match(config, /^model = "gpt-x"\n/)
    assert.match(config, /\n\[shell_environment_policy\]\nexclude = \["TREADLE_TOKEN"\]\n/)
    assert.match(
      config,
      /\n\[model_providers\.treadle\]\nname = "Treadle"\nbase_url = "\{\{origin\}\}\/v1"\n/,
    )
  })

  test('an agent that is not there is refused with what to do', () => {
    assert.throws(() => start({ agent: 'opencode' }, allWires, { ...programs, agents: {} }), {
      code: 'agent/missing',
      publicMessage: /npm install --global opencode-ai\), then start Treadle again/,
    })
  })

  test("a command of one's own gets prompt and model filled in once, and keeps {{origin}} for the sandbox", () => {
    const command = ['run', '--url={{origin}}', '{{prompt}}', '-m{{model}}', '{{constructor}}']
    const { argv } = start({
      agent: { command, wire: 'anthropic' },
      prompt: 'Say {{model}}',
      model: 'm',
    })
    assert.deepEqual(argv, ['run', '--url={{origin}}', 'Say {{model}}', '-mm', '{{constructor}}'])
  })

  test("OpenHands' last words are found where it ends by its tool, and nowhere else", () => {
    const read = profiles.openhands.readLastWords!
    const finish = (message: unknown, source = 'agent') =>
      JSON.stringify({ source, action: { message, kind: 'FinishAction' }, tool_name: 'finish' })
    assert.equal(read(`noise\n${finish('first')}\r\n${finish('done')}\r\nAgent finished`), 'done')
    assert.equal(read(`\u001b[37m${finish('painted')}`), 'painted')
    assert.equal(read(finish('echoed', 'user')), null)
    assert.equal(read(`${finish('done').slice(0, -5)}\n"FinishAction" and {`), null)
    assert.equal(read(finish(7)), null)
    assert.equal(read(''), null)
  })

  test('each profile says what a reader must know, and the smallest sandbox can hold it', () => {
    for (const name of agentNames satisfies readonly AgentName[]) {
      const { title, licence, memoryBytes, provedVersion, wires, program } = profiles[name]
      assert.ok(title && licence && wires.length > 0 && memoryBytes < 4 * 1024 ** 3, name)
      assert.equal(provedVersion === null, program.kind === 'ours', name)
    }
  })
})
