// An agent that is its user's own: found along PATH, brought to where sandboxes see it, and let do a whole loop. The
// program is Claude Code's stand-in, which plays its recorded requests: the licence of the real one forbids to ship it.
import assert from 'node:assert/strict'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { AgentInfo } from '../spool/api.ts'
import { assertGreenLoop, createWitnessLoop, listWitnessed, readCalls } from './agent-loop.ts'
import { startAppliance, type TestAppliance } from './appliance.ts'
import { runCommand } from './command.ts'

const version = '2.1.330'
const standIn = fileURLToPath(new URL('./claude/main.ts', import.meta.url))

/** As `npm install --global` leaves it below a home that no other user can enter. */
function installStandIn(home: string): string {
  const root = join(home, 'lib/node_modules/@anthropic-ai/claude-code')
  const part = join(root, `node_modules/@anthropic-ai/claude-code-linux-${process.arch}`)
  mkdirSync(part, { recursive: true })
  const write = (folder: string, name: string) =>
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, version, type: 'module' }))
  write(root, '@anthropic-ai/claude-code')
  write(part, `@anthropic-ai/claude-code-linux-${process.arch}`)
  const code = stripTypeScriptTypes(readFileSync(standIn, 'utf8'))
  writeProgram(join(part, 'claude'), `#!/usr/bin/env node\n${code}`)
  mkdirSync(join(root, 'bin'))
  writeProgram(join(root, 'bin/claude.exe'), '#!/bin/sh\necho "its install script did not run"\n')
  mkdirSync(join(home, 'bin'))
  symlinkSync(
    '../lib/node_modules/@anthropic-ai/claude-code/bin/claude.exe',
    join(home, 'bin/claude'),
  )
  return join(home, 'bin')
}

function writeProgram(file: string, content: string): void {
  writeFileSync(file, content)
  chmodSync(file, 0o755)
}

describe("an agent of the user's own", () => {
  const home = mkdtempSync(join(tmpdir(), 'home-')) // Its mode is 0700.
  const path = process.env.PATH
  let treadle: TestAppliance
  let known: AgentInfo[]
  before(async () => {
    process.env.PATH = `${installStandIn(home)}:${path}`
    treadle = await startAppliance('--parallel=2')
    known = (await treadle.client.get<{ items: AgentInfo[] }>('/api/agents')).items
  })
  after(async () => {
    process.env.PATH = path
    await treadle[Symbol.asyncDispose]()
    rmSync(home, { recursive: true, force: true })
  })

  test('is found where its user installed it, with its version', () => {
    const { state, version: found, from } = known.find(({ name }) => name === 'claude')!
    assert.deepEqual(
      { state, found, from },
      { state: 'ready', found: version, from: join(home, 'bin/claude') },
    )
  })

  test("lands a green branch by Claude Code's recorded requests", async () => {
    const work = join(treadle.state, 'work')
    mkdirSync(work)
    const spec = await createWitnessLoop(work, 'claude')
    const loop = await treadle.ended((await treadle.submit(spec)).id)
    await assertGreenLoop(treadle, loop)
    assert.deepEqual([...new Set(readCalls(treadle).map(({ wire }) => wire))], ['messages'])
    assert.deepEqual(listWitnessed(loop), ['ANTHROPIC_AUTH_TOKEN'])
  })

  test('is listed and proved by the commands that a user types', async () => {
    const listed = await runCommand(treadle.state, 'agent', 'list')
    assert.equal(listed.exitCode, 0, listed.said)
    assert.match(listed.said, /claude +ready +2\.1\.330 +2\.1\.330\*/)
    const proved = await runCommand(treadle.state, 'agent', 'test', 'claude')
    assert.equal(proved.exitCode, 0, proved.said)
    assert.match(proved.said, /✓ result +done:/)
  })

  test('that is not there is named with what to do, and its loops are refused', async () => {
    const { exitCode, said } = await runCommand(treadle.state, 'agent', 'test', 'openhands')
    const missing = known.find(({ name }) => name === 'openhands')!
    if (missing.state === 'ready') return assert.equal(exitCode, 0, said)
    assert.equal(exitCode, 1, said)
    assert.match(said, /✗ program +OpenHands: .*pip install openhands/)
  })
})
