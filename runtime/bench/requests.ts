// What the clients send: a coding agent's calls, by size and by shape.

const sentence =
  'Read the file, find why the retry loop never ends, and write a failing test first. '
// Models of the price list: looking a price up is part of the work. The second is served over TLS.
export const plainModel = 'claude-sonnet-4-5'
export const tlsModel = 'claude-opus-4-5'

/** In the number and size that coding agents send them. */
export const clientHeaders: readonly (readonly [string, string])[] = [
  ['accept', 'application/json'],
  ['accept-encoding', 'identity'],
  ['anthropic-beta', 'interleaved-thinking-2025-05-14,context-management-2025-06-27'],
  ['anthropic-version', '2023-06-01'],
  ['user-agent', 'bench/1.0 (external, cli)'],
  ['x-app', 'cli'],
  ['x-claude-code-session-id', '0b1f6a3e-5b0e-4b7c-9f1e-0d6c1c2f9a11'],
  ['x-stainless-arch', 'x64'],
  ['x-stainless-lang', 'js'],
  ['x-stainless-os', 'Linux'],
  ['x-stainless-package-version', '0.94.0'],
  ['x-stainless-retry-count', '0'],
  ['x-stainless-runtime', 'node'],
  ['x-stainless-timeout', '600'],
]

type SmallBody = { stream?: boolean; model?: string; text?: string }

export const toSmallBody = ({ stream = false, model = plainModel, text = '' }: SmallBody = {}) =>
  JSON.stringify({
    model,
    stream,
    max_tokens: 1_024,
    messages: [{ role: 'user', content: [{ type: 'text', text: text + sentence.repeat(10) }] }],
  })

/** Asks the mock upstream for a stream at a model's pace, which it knows by `tag`. */
export const toPacedBody = (tag: string, events: number) =>
  toSmallBody({ stream: true, text: `[paced ${tag} ${events}] ` })

/** A late turn of a long session: tools with their schemas, then calls and results until it is that large. */
export function toSessionBody(bytesMax: number, model = plainModel): string {
  const tools = Array.from({ length: 24 }, (_, index) => toTool(index))
  const messages: unknown[] = [{ role: 'user', content: 'Fix the build.' }]
  const head = { model, stream: false, max_tokens: 64_000, tools }
  let bytes = Buffer.byteLength(JSON.stringify({ ...head, messages }))
  for (let turn = 0; bytes < bytesMax; turn += 1) {
    const exchange = toExchange(turn)
    messages.push(...exchange)
    bytes += Buffer.byteLength(JSON.stringify(exchange))
  }
  return JSON.stringify({ ...head, messages })
}

const toTool = (index: number) => ({
  name: `tool_${index}`,
  description: `${sentence.repeat(10)}\n- "quoted" path C:\\x\\${index}\n\t• bullet ✓`,
  input_schema: {
    type: 'object',
    required: ['path'],
    properties: { path: { type: 'string', description: sentence } },
  },
})

function toExchange(turn: number): unknown[] {
  const id = `toolu_${turn}`
  const lines = Array.from(
    { length: 40 },
    (_, line) => `${line}\tif (state["k"] !== "é✓") { retry(${line}) }`,
  )
  const input = { path: `/src/file-${turn}.ts`, limit: 40 }
  return [
    { role: 'assistant', content: [{ type: 'tool_use', id, name: 'tool_3', input }] },
    {
      role: 'user',
      content: [{ type: 'tool_result', tool_use_id: id, content: lines.join('\n') }],
    },
  ]
}
