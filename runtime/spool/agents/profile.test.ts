import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Wire } from '../../proxy/api.ts'
import { AgentStart } from '../../weaver/api.ts'
import { NewLoop, type NewLoopInput } from '../api.ts'
import { newLoop } from '../testing/scene.ts'
import { codexEntry } from './codex.ts'
import { missingPackage } from './installed.ts'
import { piEntry } from './pi.ts'
import { toAgentStart } from './profile.ts'

const allWires: readonly Wire[] = ['messages', 'chat', 'responses']
const programs = { node: '/opt/treadle/node/bin/node', app: '/opt/treadle/app' }
const start = (change: Partial<NewLoopInput>, wires: readonly Wire[] = allWires) =>
  toAgentStart({ loop: NewLoop.parse(newLoop('/x', change)), wires, programs }, 60_000)
const hostile = '-rf @file {{model}} "; touch /tmp/owned; $(id)'

describe('how agents are started', () => {
  for (const agent of ['builtin', 'pi', 'codex'] as const) {
    test(`${agent} gets the prompt as a file, and nothing of it in its arguments`, () => {
      const made = start({ agent, prompt: hostile })
      AgentStart.parse(made)
      assert.equal(made.files.find(({ path }) => path === '.treadle/prompt.md')!.content, hostile)
      assert.ok(made.argv.every((part) => !part.includes('touch')))
    })

    test(`${agent} gets no credential: the token comes from the sandbox`, () => {
      const text = JSON.stringify(start({ agent }))
        .replaceAll('$TREADLE_TOKEN', '')
        .replaceAll('TREADLE_TOKEN', '')
      assert.doesNotMatch(text, /token"|sk-|secret/i)
    })
  }

  test('a prompt of any length and shape reaches a program on its input, or by its path', () => {
    const home = mkdtempSync(join(tmpdir(), 'home-'))
    const prompt = `${hostile}\n${'x'.repeat(199_000)}`
    for (const agent of ['builtin', 'codex'] as const) {
      const { argv, files } = start({ agent, prompt })
      for (const { path, content } of files) {
        mkdirSync(dirname(join(home, path)), { recursive: true })
        writeFileSync(join(home, path), content)
      }
      // The same shell line with a program that shows what it got instead of the agent.
      const [program, flag, line, name] = argv
      const shown = agent === 'codex' ? ['cat'] : ['cat', '--']
      const ran = spawnSync(program!, [flag!, line!, name!, ...shown], {
        env: { HOME: home, PATH: '/usr/bin:/bin' },
      })
      assert.equal(ran.stdout.toString(), prompt)
    }
    rmSync(home, { recursive: true })
  })

  test("a model's name can break out of no configuration", () => {
    const model = 'x"\nbase_url = "http://evil'
    const codex = start({ agent: 'codex', model }).files.find(({ path }) =>
      path.endsWith('config.toml'),
    )!
    assert.equal(codex.content.split('\n').filter((line) => line.startsWith('base_url')).length, 1)
    const pi = start({ agent: 'pi', model }).files.find(({ path }) => path.endsWith('models.json'))!
    assert.equal(JSON.parse(pi.content).providers.treadle.models[0].id, model)
  })

  test('pi speaks Messages where the model is served on it, and chat elsewhere', () => {
    const api = (wires: readonly Wire[]) =>
      JSON.parse(
        start({ agent: 'pi' }, wires).files.find(({ path }) => path.endsWith('models.json'))!
          .content,
      ).providers.treadle.api
    assert.deepEqual(([allWires, ['messages'], ['chat', 'responses']] as const).map(api), [
      'anthropic-messages',
      'anthropic-messages',
      'openai-completions',
    ])
  })

  test("a command of one's own gets prompt and model filled in once, and keeps {{origin}} for the sandbox", () => {
    const command = ['run', '--url={{origin}}', '{{prompt}}', '-m{{model}}']
    const { argv } = start({
      agent: { command, wire: 'anthropic' },
      prompt: 'Say {{model}}',
      model: 'm',
    })
    assert.deepEqual(argv, ['run', '--url={{origin}}', 'Say {{model}}', '-mm'])
  })

  test('the programs of installed agents are where the profiles look', () => {
    const app = fileURLToPath(new URL('../../../', import.meta.url))
    for (const [agent, entry] of [
      ['pi', piEntry],
      ['codex', codexEntry],
    ] as const) {
      assert.equal(missingPackage(agent, app) === undefined, existsSync(join(app, entry)))
    }
    assert.equal(missingPackage('codex', '/nowhere'), '@openai/codex')
    assert.equal(missingPackage('builtin', '/nowhere'), undefined)
  })
})
