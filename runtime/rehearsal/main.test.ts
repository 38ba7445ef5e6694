import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('./main.ts', import.meta.url))

describe('the rehearsal process', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rehearsal-main-'))
  const keyFile = join(folder, 'key')
  const logFile = join(folder, 'calls.jsonl')
  writeFileSync(keyFile, 'sk-of-a-file\n')
  const started: ChildProcessWithoutNullStreams[] = []
  after(() => {
    for (const child of started) child.kill('SIGKILL')
    rmSync(folder, { recursive: true })
  })

  const launch = (...flags: string[]) => {
    const child = spawn(process.execPath, [main, ...flags])
    started.push(child)
    return child
  }
  const start = async (...flags: string[]) => {
    const child = launch('--key-file', keyFile, '--log', logFile, ...flags)
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
    const told = JSON.parse(line) as { event: string; url: string }
    assert.equal(told.event, 'listening')
    return { child, url: told.url }
  }
  const ask = async (url: string, key = 'sk-of-a-file') => {
    const messages = [{ role: 'user', content: 'a word of the prompt' }]
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'session-id': 'session-7' },
      body: JSON.stringify({ model: 'rehearsal/no-progress', messages }),
    })
    await response.text()
    return response.status
  }

  test('it takes the key of its file, logs a line a call, and ends on SIGTERM', async () => {
    const { child, url } = await start('--fault', '{"status":503,"times":1}')
    const statuses = [await ask(url), await ask(url), await ask(url, 'sk-other')]
    assert.deepEqual(statuses, [503, 200, 401])
    const lines = readFileSync(logFile, 'utf8').trim().split('\n')
    assert.deepEqual(
      lines.map((line) => JSON.parse(line).status),
      [503, 200, 401],
    )
    assert.equal(JSON.parse(lines[1]!).session, 'session-7')
    assert.doesNotMatch(lines.join(), /a word of the prompt|sk-/)
    assert.equal(statSync(logFile).mode & 0o777, 0o600)
    child.kill('SIGTERM')
    assert.deepEqual(await once(child, 'exit'), [0, null])
  })

  test('it ends with its parent, when told to watch it', async () => {
    const { child } = await start('--parent-watch')
    child.stdin.end()
    assert.deepEqual(await once(child, 'exit'), [0, null])
  })

  test('it logs bodies only when told to, and never the key', async () => {
    const { child, url } = await start('--log-bodies', '--delay-ms', '100')
    const from = performance.now()
    await ask(url)
    assert.ok(performance.now() - from >= 99)
    const line = readFileSync(logFile, 'utf8').trim().split('\n').at(-1)!
    assert.match(line, /a word of the prompt/)
    assert.doesNotMatch(line, /sk-of-a-file/)
    child.kill('SIGTERM')
    await once(child, 'exit')
  })

  const usable = ['--key-file', keyFile, '--log', logFile]
  const cases: [string, string[], RegExp][] = [
    ['without its files', [], /key-file: .*\nlog: /],
    ['with an unknown flag', [...usable, '--prot', '1'], /prot: Unknown key/],
    ['with a port that is none', [...usable, '--port', 'x'], /port = "x"/],
    ['with a fault that is no JSON', [...usable, '--fault', '{'], /fault.*Write JSON/],
    ['with a fault that is none', [...usable, '--fault', '{"status":1}'], /fault\.status/],
    ['with a key file that is not there', ['--key-file', '/none', '--log', logFile], /ENOENT/],
  ]
  for (const [title, flags, expected] of cases) {
    test(`started ${title} it says so and exits with 2`, async () => {
      const child = launch(...flags)
      const [told, [exit]] = await Promise.all([text(child.stderr), once(child, 'exit')])
      assert.match(told, expected)
      assert.equal(exit, 2)
    })
  }
})
