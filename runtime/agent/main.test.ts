import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, beforeEach, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('./main.ts', import.meta.url))
const token = 'token-of-this-test'

type Body = {
  model: string
  stream: boolean
  messages: { role: string; content: { type: string; content?: string; is_error?: boolean }[] }[]
  tools: { name: string }[]
}
type Seen = { headers: IncomingHttpHeaders; body: Body }
type Turn = (response: ServerResponse) => void | Promise<void>

// The wire's events, as Anthropic documents them.
const event = (type: string, data: object) =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`
const opened = event('message_start', {
  message: {
    id: 'm',
    type: 'message',
    role: 'assistant',
    content: [],
    usage: { input_tokens: 100, cache_read_input_tokens: 50, output_tokens: 1 },
  },
})
const block = (index: number, content_block: object, ...deltas: object[]) =>
  event('content_block_start', { index, content_block }) +
  deltas.map((delta) => event('content_block_delta', { index, delta })).join('') +
  event('content_block_stop', { index })
const says = (index: number, ...words: string[]) =>
  block(
    index,
    { type: 'text', text: '' },
    ...words.map((word) => ({ type: 'text_delta', text: word })),
  )
const asks = (index: number, name: string, input: string) =>
  block(
    index,
    { type: 'tool_use', id: `toolu_${index}`, name, input: {} },
    ...input.match(/.{1,7}/gs)!.map((part) => ({ type: 'input_json_delta', partial_json: part })),
  )
const closed = (stop_reason: string) =>
  event('message_delta', { delta: { stop_reason }, usage: { output_tokens: 20 } }) +
  event('message_stop', {})

const streamed =
  (body: string): Turn =>
  (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end(body)
  }
const refused =
  (status: number, headers: Record<string, string> = {}): Turn =>
  (response) => {
    const error = { type: 'error', error: { type: 'some_error', message: `Told ${status}.` } }
    response.writeHead(status, headers).end(JSON.stringify(error))
  }
const done = streamed(opened + says(0, 'All ', 'is ', 'well.') + closed('end_turn'))
const bash = (command: string) =>
  streamed(opened + asks(0, 'bash', JSON.stringify({ command })) + closed('tool_use'))

describe('the agent, run whole', () => {
  const folder = mkdtempSync(join(tmpdir(), 'agent-run-'))
  const promptFile = join(folder, 'prompt.md')
  let seen: Seen[] = []
  let script: Turn[] = []
  const server = createServer(async (request, response) => {
    const body = JSON.parse(await text(request)) as Body
    seen.push({ headers: request.headers, body })
    assert.equal(request.url, '/base/v1/messages')
    const turn = script[Math.min(seen.length, script.length) - 1]!
    await turn(response)
  })
  let origin = ''

  before(async () => {
    writeFileSync(promptFile, 'Do it.')
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}/base/`
  })
  after(() => {
    server.close()
    server.closeAllConnections()
    rmSync(folder, { recursive: true })
  })
  beforeEach(() => {
    seen = []
  })

  const start = (turns: Turn[], more: string[] = []): ChildProcess => {
    script = turns
    const flags = ['--headless', '--model', 'm', '--origin', origin, '--prompt-file', promptFile]
    const env = { PATH: process.env.PATH, TREADLE_TOKEN: token }
    return spawn(process.execPath, [main, ...flags, ...more], { cwd: folder, env })
  }
  const finish = async (child: ChildProcess) => {
    const [output, errors, [exit]] = await Promise.all([
      text(child.stdout!),
      text(child.stderr!),
      once(child, 'exit') as Promise<[number | null]>,
    ])
    return { output, errors, exit }
  }
  const run = (turns: Turn[], more?: string[]) => finish(start(turns, more))
  const resultOf = (call: Seen) => call.body.messages.at(-1)!.content[0]!

  test('works with its tools until the model asks for nothing more', async () => {
    const write = JSON.stringify({ path: 'made.txt', old_text: '', new_text: 'It is\nmade.' })
    const { exit, output } = await run([
      streamed(opened + says(0, 'I make it.') + asks(1, 'edit_file', write) + closed('tool_use')),
      bash('cat made.txt'),
      done,
    ])
    assert.equal(exit, 0, output)
    assert.equal(readFileSync(join(folder, 'made.txt'), 'utf8'), 'It is\nmade.')
    assert.equal(resultOf(seen[2]!).content, 'It is\nmade.\n[exit 0]')
    assert.match(
      output,
      /^I make it\.\n· edit_file made\.txt → made, 2 lines\n· bash cat made\.txt → exit 0\nAll is well\.\n/,
    )
    assert.match(output, /done: .*\(3 turns, 450 tokens in \(150 cached\), 60 out, .* s\)\n$/)
  })

  test('speaks the Messages wire', async () => {
    await run([done])
    const { headers, body } = seen[0]!
    assert.equal(headers['x-api-key'], token)
    assert.equal(headers['anthropic-version'], '2023-06-01')
    assert.equal(body.stream, true)
    assert.equal(body.model, 'm')
    assert.deepEqual(
      body.tools.map(({ name }) => name),
      ['read_file', 'list_files', 'edit_file', 'bash'],
    )
  })

  test('keeps its token from every command', async () => {
    await run([bash('env; cat /proc/$$/environ'), done])
    assert.match(String(resultOf(seen[1]!).content), /PATH=/)
    assert.doesNotMatch(String(resultOf(seen[1]!).content), /token-of-this-test|TREADLE_TOKEN/)
  })

  test('reads a stream that comes in odd pieces', async () => {
    const bytes = Buffer.from(
      opened + says(0, 'é😀') + asks(1, 'bash', '{"command":"echo é😀"}') + closed('tool_use'),
    )
    const { exit, output } = await run([
      async (response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        for (let at = 0; at < bytes.length; at += 13) {
          response.write(bytes.subarray(at, at + 13))
          await new Promise(setImmediate)
        }
        response.end()
      },
      done,
    ])
    assert.equal(exit, 0)
    assert.match(output, /^é😀\n· bash echo é😀 → exit 0/)
    assert.match(String(resultOf(seen[1]!).content), /^é😀/)
  })

  test('sends thinking back as it came', async () => {
    const thinking = block(
      0,
      { type: 'thinking', thinking: '', signature: '' },
      { type: 'thinking_delta', thinking: 'Hm' },
      { type: 'thinking_delta', thinking: 'm.' },
      { type: 'signature_delta', signature: 'c2ln' },
    )
    await run([
      streamed(opened + thinking + asks(1, 'bash', '{"command":"true"}') + closed('tool_use')),
      done,
    ])
    assert.deepEqual(seen[1]!.body.messages[1]!.content[0], {
      type: 'thinking',
      thinking: 'Hmm.',
      signature: 'c2ln',
    })
  })

  test('tells the model about a tool call whose input is broken', async () => {
    await run([streamed(opened + asks(0, 'bash', '{"command":"ec') + closed('max_tokens')), done])
    assert.equal(resultOf(seen[1]!).is_error, true)
    assert.match(String(resultOf(seen[1]!).content), /no complete JSON/)
  })

  const soon = { 'retry-after': '0.05' }
  const reset: Turn = (response) => {
    response
      .writeHead(200)
      .write(
        opened +
          event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
      )
    setTimeout(() => response.destroy(), 20)
  }
  for (const [title, trouble] of [
    ['a 429', refused(429, soon)],
    ['a 503', refused(503, soon)],
    ['a 529', refused(529, soon)],
    ['a reset in mid-stream', reset],
    ['a stream that ends too early', streamed(opened + says(0, 'Al'))],
    [
      'an overload told in the stream',
      streamed(opened + event('error', { error: { type: 'overloaded_error', message: 'Busy.' } })),
    ],
  ] as [string, Turn][]) {
    test(`asks again after ${title}`, async () => {
      const { exit, output } = await run([trouble, done])
      assert.equal(exit, 0, output)
      assert.match(output, /asking again in/)
      assert.equal(seen.length, 2)
      assert.deepEqual(seen[1]!.body, seen[0]!.body)
    })
  }

  for (const [title, trouble, calls] of [
    ['a 400', refused(400), 1],
    ['a 401', refused(401), 1],
    ['a 429 that asks for an hour', refused(429, { 'retry-after': '3600' }), 1],
    ['a 503 that forbids a retry', refused(503, { 'x-should-retry': 'false' }), 1],
    ['a fourth 503', refused(503, soon), 4],
  ] as [string, Turn, number][]) {
    test(`fails with the reason after ${title}`, async () => {
      const { exit, output } = await run([trouble])
      assert.equal(exit, 1)
      assert.match(output, /failed: \d+: Told \d+\./)
      assert.equal(seen.length, calls)
    })
  }

  test('ends with exit 3 at the cap of turns', async () => {
    const { exit, output } = await run([bash('echo again')], ['--turns-max', '2'])
    assert.equal(exit, 3)
    assert.match(output, /turns: The cap of 2 turns is reached\./)
    assert.equal(seen.length, 2)
  })

  test('SIGTERM ends a call that hangs', async () => {
    const child = start([(response) => void response.writeHead(200).write(opened)])
    while (seen.length === 0) await sleep(10)
    child.kill('SIGTERM')
    const { exit, output } = await finish(child)
    assert.equal(exit, 143)
    assert.match(output, /stopped: SIGTERM came\./)
  })

  test('SIGTERM ends a command that runs', async () => {
    const child = start([bash('touch running; sleep 60')])
    while (!existsSync(join(folder, 'running'))) await sleep(10)
    child.kill('SIGTERM')
    const { exit } = await finish(child)
    assert.equal(exit, 143)
    assert.equal(seen.length, 1)
  })

  test('lets no control character of the model reach the terminal', async () => {
    const { output } = await run([
      streamed(
        opened +
          says(0, 'a\u001b[2Jb\u0007\u202ec') +
          asks(1, 'bash', JSON.stringify({ command: 'true # \u001b]0;x\u0007' })) +
          closed('tool_use'),
      ),
      done,
    ])
    assert.match(output, /^abc\n/)
    for (const mark of ['\u0007', '\u001b', '\u202e']) assert.ok(!output.includes(mark))
  })

  for (const [title, more, reason] of [
    ['an unknown flag', ['--fast'], /Unknown option/],
    ['an origin that is no URL', ['--origin', 'localhost'], /--origin localhost/],
    [
      'an absent prompt file',
      ['--prompt-file', '/nowhere'],
      /--prompt-file \/nowhere: no such file/,
    ],
    ['a cap of no turns', ['--turns-max', '0'], /--turns-max 0/],
    ['an absent work folder', ['--work', '/nowhere'], /--work \/nowhere: no such folder/],
  ] as [string, string[], RegExp][]) {
    test(`${title} is a usage error`, async () => {
      const { exit, errors } = await run([done], more)
      assert.equal(exit, 2)
      assert.match(errors, reason)
      assert.equal(seen.length, 0)
    })
  }
})
