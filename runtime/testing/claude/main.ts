// Stands in for the program of Claude Code in tests: takes its command line and environment, sends its requests to the
// byte as they were recorded, does the work with its tools, and ends as it does. Only that it thinks nothing itself.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http'
import { json, text as readText } from 'node:stream/consumers'

// What it sends, as Claude Code 2.1.330 was recorded, headless, with a model of an unknown name: every header and every
// field of the body, in its order. The texts are ours; those of the vendor are not copied.
const betas = [
  'claude-code-20250219',
  'interleaved-thinking-2025-05-14',
  'context-management-2025-06-27',
  'mid-conversation-tool-changes-2026-07-01',
  'thinking-token-count-2026-05-13',
  'advanced-tool-use-2025-11-20',
  'effort-2025-11-24',
  'thinking-display-updates-2026-08-18',
]

const path = '/v1/messages?beta=true'

const toHeaders = (token: string, session: string): OutgoingHttpHeaders => ({
  Accept: 'application/json',
  Authorization: `Bearer ${token}`,
  'Content-Type': 'application/json',
  'User-Agent': 'claude-cli/2.1.330 (external, sdk-cli)',
  'X-Claude-Code-Session-Id': session,
  'X-Stainless-Arch': 'x64',
  'X-Stainless-Lang': 'js',
  'X-Stainless-OS': 'Linux',
  'X-Stainless-Package-Version': '0.128.0',
  'X-Stainless-Retry-Count': '0',
  'X-Stainless-Runtime': 'node',
  'X-Stainless-Runtime-Version': 'v26.12.1',
  'X-Stainless-Timeout': '600',
  'anthropic-beta': betas.join(','),
  'anthropic-dangerous-direct-browser-access': 'true',
  'anthropic-version': '2023-06-01',
  'x-app': 'cli',
  Connection: 'keep-alive',
  'Accept-Encoding': 'identity', // The program also takes gzip, deflate, br and zstd; its stand-in does not unpack.
})

const ephemeral = { cache_control: { type: 'ephemeral' } } as const

type Block =
  | { type: 'text'; text: string }
  | { type: 'tool_use'; id: string; name: string; input: Record<string, unknown> }
type Result = {
  tool_use_id: string
  type: 'tool_result'
  content: string
  is_error?: boolean
}
type Turn = { said: Block[]; results: Result[] }

/** A message of role `system` among the others, and the mark of the cache on the newest turn, are the program's own. */
function toBody(model: string, prompt: string, session: string, turns: readonly Turn[]) {
  const surroundings = 'A sandbox, with a repository in the working directory.'
  const isFirst = turns.length === 0
  return {
    model,
    messages: [
      {
        role: 'user',
        content: ['What is known of the repository.', 'How commits are signed.', prompt].map(
          (text) => ({ type: 'text', text }),
        ),
      },
      {
        role: 'system',
        content: isFirst ? [{ type: 'text', text: surroundings, ...ephemeral }] : surroundings,
      },
      ...turns.flatMap(({ said, results }, at) => [
        { role: 'assistant', content: said },
        {
          role: 'user',
          content: results.map((each) =>
            at === turns.length - 1 ? { ...each, ...ephemeral } : each,
          ),
        },
      ]),
    ],
    system: [
      {
        type: 'text',
        text: 'x-anthropic-billing-header: cc_version=2.1.330; cc_entrypoint=sdk-cli;',
      },
      { type: 'text', text: 'You are an agent.', ...ephemeral },
      { type: 'text', text: 'You work with a user toward a goal.', ...ephemeral },
    ],
    tools,
    metadata: {
      user_id: JSON.stringify({ device_id: '0'.repeat(64), account_uuid: '', session_id: session }),
    },
    max_tokens: 32_000,
    thinking: { type: 'adaptive', display: 'updates' },
    context_management: { edits: [{ type: 'clear_thinking_20251015', keep: 'all' }] },
    output_config: { effort: 'high' },
    stream: true,
  }
}

const text = { type: 'string' } as const
const flag = { type: 'boolean' } as const
const number = { type: 'number' } as const

const toTool = (name: string, properties: object, required: string[]) => ({
  name,
  description: `The tool ${name}.`,
  input_schema: {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    properties,
    required,
    additionalProperties: false,
  },
})

const tools = [
  toTool(
    'Agent',
    {
      description: text,
      prompt: text,
      subagent_type: text,
      model: text,
      effort: text,
      run_in_background: flag,
      isolation: text,
    },
    ['description', 'prompt'],
  ),
  toTool(
    'Bash',
    {
      command: text,
      timeout: number,
      description: text,
      run_in_background: flag,
      dangerouslyDisableSandbox: flag,
    },
    ['command'],
  ),
  toTool(
    'Edit',
    {
      file_path: text,
      old_string: text,
      new_string: text,
      replace_all: { ...flag, default: false },
    },
    ['file_path', 'old_string', 'new_string'],
  ),
  toTool('ListAgents', { channel: text, q: text, cursor: text }, []),
  toTool(
    'Read',
    { file_path: text, offset: number, limit: number, pages: text, allow_large: flag },
    ['file_path'],
  ),
  toTool('ReportFindings', { level: text, findings: { type: 'array', items: text } }, ['findings']),
  toTool('ScheduleWakeup', { delaySeconds: number, reason: text, prompt: text }, ['reason']),
  toTool('Skill', { skill: text, args: text }, ['skill']),
  toTool('ToolSearch', { query: text, max_results: number }, ['query']),
  toTool('Workflow', { script: text, name: text, description: text, args: text }, []),
  { ...toTool('DeferredToolPlaceholder', {}, []), defer_loading: true },
  toTool('Write', { file_path: text, content: text }, ['file_path', 'content']),
]

const turnsMax = 30
const commandMsMax = 60_000
const session = randomUUID()

/** What the profile must have given it; the real program fails, or waits for ever, without. */
function readOrders() {
  const flags = new Map(process.argv.slice(2).map((arg) => arg.split('=') as [string, string]))
  const known = [
    '--print',
    '--output-format',
    '--verbose',
    '--model',
    '--dangerously-skip-permissions',
  ]
  for (const flag of flags.keys()) assert.ok(known.includes(flag), `unknown option '${flag}'`)
  assert.ok(flags.has('--print') && flags.has('--verbose'))
  assert.equal(flags.get('--output-format'), 'stream-json')
  assert.notEqual(process.getuid!(), 0, '--dangerously-skip-permissions cannot be used as root')
  const { ANTHROPIC_BASE_URL: origin, ANTHROPIC_AUTH_TOKEN: token } = process.env
  assert.ok(origin && token && process.env.CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC === '1')
  assert.equal(process.env.TREADLE_TOKEN, undefined)
  return { origin, token, model: flags.get('--model')!, prompt: readFileSync(0, 'utf8') }
}

async function ask(
  orders: ReturnType<typeof readOrders>,
  turns: readonly Turn[],
): Promise<Block[]> {
  const { origin, token, model, prompt } = orders
  const body = JSON.stringify(toBody(model, prompt, session, turns))
  const headers = { ...toHeaders(token, session), 'Content-Length': Buffer.byteLength(body) }
  const asked = request(new URL(path, origin), { method: 'POST', headers })
  asked.end(body)
  const response = await new Promise<IncomingMessage>((resolve, reject) =>
    asked.once('response', resolve).once('error', reject),
  )
  if (response.statusCode !== 200) {
    const refusal = (await json(response)) as { error: { message: string } }
    throw new Error(`API Error: ${response.statusCode} ${refusal.error.message}`)
  }
  return toBlocks(await readText(response))
}

type Event = {
  type: string
  index: number
  content_block: Block
  delta: { type: string; text: string; partial_json: string }
}

/** The events of a streamed answer to what was said. */
function toBlocks(stream: string): Block[] {
  const events = stream
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => JSON.parse(line.slice('data: '.length)) as Event)
  assert.equal(events.at(-1)?.type, 'message_stop')
  const blocks: Block[] = []
  const inputs: string[] = []
  for (const { type, index, content_block, delta } of events) {
    if (type === 'content_block_start') [blocks[index], inputs[index]] = [content_block, '']
    const block = blocks[index]
    if (type === 'content_block_delta' && block?.type === 'text') block.text += delta.text
    if (type === 'content_block_delta' && block?.type === 'tool_use')
      inputs[index] += delta.partial_json
    if (type === 'content_block_stop' && block?.type === 'tool_use') {
      block.input = JSON.parse(inputs[index] || '{}')
    }
  }
  return blocks
}

type Call = Extract<Block, { type: 'tool_use' }>

const filesRead = new Set<string>()

/** `Edit` refuses a file that was not read before. */
function work({ id, name, input }: Call): Result {
  const file = String(input.file_path)
  const answer = (content: string, isError?: boolean): Result => ({
    tool_use_id: id,
    type: 'tool_result',
    content,
    ...(isError !== undefined && { is_error: isError }),
  })
  if (name === 'Bash') {
    const options = { encoding: 'utf8', timeout: commandMsMax } as const
    const { stdout, stderr, status } = spawnSync('bash', ['-c', String(input.command)], options)
    return answer(stdout + stderr, status !== 0)
  }
  if (name === 'Read') {
    filesRead.add(file)
    const lines = readFileSync(file, 'utf8').split('\n')
    return answer(lines.map((line, at) => `${at + 1}\t${line}`).join('\n'))
  }
  if (name !== 'Edit') return answer(`There is no tool ${name}.`, true)
  if (!filesRead.has(file)) return answer('File has not been read yet.', true)
  const before = readFileSync(file, 'utf8')
  writeFileSync(
    file,
    before.replace(String(input.old_string), () => String(input.new_string)),
  )
  return answer(`The file ${file} has been updated successfully.`)
}

async function main(): Promise<void> {
  const orders = readOrders()
  const turns: Turn[] = []
  for (;;) {
    const said = await ask(orders, turns)
    const calls = said.filter((block) => block.type === 'tool_use')
    process.stdout.write(`${JSON.stringify({ type: 'assistant', message: { content: said } })}\n`)
    if (calls.length === 0 || turns.length === turnsMax) break
    turns.push({ said, results: calls.map(work) })
  }
}

// The result says "success" whatever came; its exit code is what tells.
const finish = (isError: boolean, result: string) => {
  const event = {
    type: 'result',
    subtype: 'success',
    is_error: isError,
    result,
    session_id: session,
  }
  process.stdout.write(`${JSON.stringify(event)}\n`)
  process.exitCode = isError ? 1 : 0
}
await main().then(
  () => finish(false, ''),
  (error: Error) => finish(true, error.message),
)
