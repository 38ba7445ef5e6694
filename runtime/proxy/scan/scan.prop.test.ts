// The scan against JSON.parse and a plain walk: it may say too little of a body, and never too much.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Wire } from '../api.ts'
import { type Scan, scan } from '../scan.ts'
import { applyEdits, planModelEdits, planOutputEdits, planUsageEdits } from './edits.ts'

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
type Shape = { [key: string]: Json }

const text = fc.oneof(
  fc.string({ maxLength: 80 }),
  fc.constantFrom(
    'image',
    'document',
    'say "image"',
    '\\',
    'x'.repeat(100),
    '{"type":"image"}',
    'é"\\n',
  ),
)
/** As a serialiser would write it, and no other prototype or negative zero. */
const copy = (value: unknown) => JSON.parse(JSON.stringify(value)) as Shape
const objects = <T>(model: fc.Arbitrary<T>) => model as fc.Arbitrary<unknown> as fc.Arbitrary<Shape>
const plainPart = objects(fc.record({ type: fc.constantFrom('text', 'input_text'), text }))
const far: Readonly<Record<Wire, readonly Shape[]>> = {
  messages: [
    { type: 'image', source: { type: 'base64', data: 'aGk=' } },
    { type: 'document', source: { type: 'text', data: 'hi' } },
    { source: { url: 'https://a/b', type: 'url' } },
    { type: 'container_upload', file_id: 'f' },
    { cache_control: null, type: 'image' },
  ],
  chat: [
    { type: 'image_url', image_url: { url: 'data:' } },
    { image_url: 'https://a/b' },
    { type: 'input_audio', input_audio: {} },
    { type: 'file', file: { file_id: 'f' } },
    { video_url: { url: 'https://a/b' }, type: 'video_url' },
    { audio: { id: 'a' } },
  ],
  responses: [
    { type: 'input_image', file_id: 'f' },
    { type: 'item_reference', id: 'm' },
    { id: 'm' },
    { type: 'reasoning', id: 'r', summary: [] },
    { type: 'reasoning', id: 'r', encrypted_content: null },
    { type: 'file_search_call', id: 'r' },
    { role: 'user', content: [{ type: 'input_file', file_url: 'https://a/b' }] },
  ],
  gemini: [
    { inlineData: { data: 'aGk=' } },
    { file_data: { file_uri: 'gs://a' } },
    { functionResponse: { parts: [{ inline_data: {} }] } },
  ],
}
const near: Readonly<Record<Wire, readonly Shape[]>> = {
  messages: [{ type: 'thinking', thinking: 'hm', signature: 'c2k=' }],
  chat: [{ role: 'tool', content: 'image_url is a word here' }],
  responses: [
    { type: 'reasoning', encrypted_content: 'c2k=', summary: [] },
    { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'hi' }] },
    { role: 'user', content: 'hi' },
  ],
  gemini: [{ functionCall: { name: 'f', args: { path: 'a' } } }],
}
type Offered = { tool: Shape; names: string[]; server: string[] }
const openAiTools: readonly Offered[] = [
  {
    tool: { type: 'function', function: { name: 'f1', parameters: { type: 'object' } } },
    names: ['f1'],
    server: [],
  },
  {
    tool: { type: 'function', name: 'f2', parameters: { name: 'no', type: 'image' } },
    names: ['f2'],
    server: [],
  },
  {
    tool: { type: 'web_search', search_context_size: 'low' },
    names: ['web_search'],
    server: ['web_search'],
  },
  { tool: { type: 'mcp', server_url: 'https://a' }, names: ['mcp'], server: ['mcp'] },
  { tool: { type: 'custom', custom: { name: 'c1' } }, names: ['c1'], server: [] },
  { tool: { type: 'shell', environment: { type: 'local' } }, names: ['shell'], server: [] },
  {
    tool: { type: 'shell', environment: { type: 'container_auto' } },
    names: ['shell'],
    server: ['shell'],
  },
  {
    tool: {
      type: 'namespace',
      name: 'n',
      tools: [{ type: 'custom', name: 'exec' }, { type: 'web_search' }],
    },
    names: ['exec', 'web_search', 'n'],
    server: ['web_search'],
  },
]
const offered: Readonly<Record<Wire, readonly Offered[]>> = {
  messages: [
    {
      tool: { name: 'Bash', input_schema: { type: 'object', name: 'no' } },
      names: ['Bash'],
      server: [],
    },
    { tool: { type: 'bash_20250124', name: 'bash' }, names: ['bash'], server: [] },
    {
      tool: { max_uses: 5, name: 'web_search', type: 'web_search_20250305' },
      names: ['web_search_20250305'],
      server: ['web_search_20250305'],
    },
    {
      tool: { type: 'code_execution_20250825', name: 'x' },
      names: ['code_execution_20250825'],
      server: ['code_execution_20250825'],
    },
  ],
  chat: openAiTools,
  responses: openAiTools,
  gemini: [
    {
      tool: { functionDeclarations: [{ name: 'f1', parameters: { name: 'no' } }, { name: 'f2' }] },
      names: ['f1', 'f2'],
      server: [],
    },
    { tool: { function_declarations: [{ name: 'f3' }] }, names: ['f3'], server: [] },
    { tool: { googleSearch: {} }, names: ['googleSearch'], server: ['googleSearch'] },
    {
      tool: { url_context: {}, code_execution: {} },
      names: ['url_context', 'code_execution'],
      server: ['url_context', 'code_execution'],
    },
  ],
}
const contentKeys = {
  messages: 'messages',
  chat: 'messages',
  responses: 'input',
  gemini: 'contents',
} as const

/** Some letters of keys and strings hidden behind escapes, as no serialiser writes them. */
function hide(json: string, at: readonly number[]): string {
  const letters = [...json.matchAll(/"(?:[^"\\]|\\.)*"/g)].flatMap(({ index, 0: found }) =>
    [...found.matchAll(/\\.|[A-Za-z_]/g)]
      .filter(([one]) => one.length === 1)
      .map((one) => index + one.index),
  )
  const chosen = new Set(at.map((n) => letters[n % letters.length]))
  return [...json]
    .map((one, i) =>
      chosen.has(i) ? `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}` : one,
    )
    .join('')
}

const read = (json: string, wire: Wire): Scan =>
  scan(Buffer.from(json), { wire, operation: 'generate', model: wire === 'gemini' ? 'm' : null })

const makeBody = (wire: Wire) =>
  fc.record({
    parts: fc.array(plainPart, { maxLength: 3 }),
    far: fc.option(fc.constantFrom(...far[wire]), { nil: null }),
    near: fc.constantFrom(...near[wire]),
    tools: fc.array(fc.constantFrom(...offered[wire]), { maxLength: 3 }),
    isDeep: fc.boolean(),
    indent: fc.constantFrom(0, 1),
    hidden: fc.array(fc.nat(), { maxLength: 2 }),
  })

for (const wire of ['messages', 'chat', 'responses', 'gemini'] as const) {
  describe(`the scan of ${wire}`, () => {
    test(`says of ${wire} that it is bounded when nothing in it is far, and names its tools`, () => {
      fc.assert(
        fc.property(makeBody(wire), (made) => {
          const items = wire === 'responses' ? [made.near] : [...made.parts, made.near]
          const all = made.far ? [...items, made.far] : items
          // An item of Responses stands for itself; in the others it may stand anywhere.
          const isDeep = made.isDeep && wire !== 'responses'
          const content = isDeep ? [{ role: 'user', content: all, parts: all }] : all
          const tools = made.tools.map(({ tool }) => tool)
          const body = copy({ model: 'm', tools, [contentKeys[wire]]: content, max_x: 1.5 })
          const json = hide(JSON.stringify(body, null, made.indent), made.hidden)
          assert.deepEqual(JSON.parse(json), body)
          const found = read(json, wire)
          const server = made.tools.flatMap(({ server }) => server)
          const isFar = made.far !== null || server.length > 0
          if (isFar) assert.equal(found.isInputBounded, false)
          else if (made.hidden.length === 0) assert.equal(found.isInputBounded, true)
          assert.deepEqual(
            found.serverTools.map(({ type }) => type),
            server,
          )
          assert.deepEqual(
            found.tools,
            made.tools.flatMap(({ names }) => names),
          )
        }),
        { numRuns: 600 },
      )
    })

    test(`changes of a body of ${wire} but what it is to change`, () => {
      const outputKeys: Readonly<Record<Wire, readonly string[]>> = {
        messages: ['max_tokens'],
        chat: ['max_tokens', 'max_completion_tokens'],
        responses: ['max_output_tokens'],
        gemini: ['maxOutputTokens', 'max_output_tokens'],
      }
      fc.assert(
        fc.property(
          fc.dictionary(
            fc.string({ maxLength: 9 }).map((key) => `x${key}`),
            fc.jsonValue(),
          ),
          fc.constantFrom(...outputKeys[wire]),
          fc.constantFrom(undefined, null, 5),
          fc.constantFrom(
            undefined,
            null,
            {},
            { include_usage: false },
            { include_usage: true, y: 1 },
            { y: [] },
          ),
          fc.constantFrom(0, 2),
          (rest, key, max, options, indent) => {
            const bound = max === undefined ? {} : { [key]: max }
            const config = wire === 'gemini' ? { generationConfig: { ...bound, topK: 1 } } : bound
            const body = copy({
              ...rest,
              model: wire === 'gemini' ? 'models/m' : 'm',
              ...(wire === 'chat' && { stream: true }),
              ...(wire === 'chat' && options !== undefined && { stream_options: options }),
              ...config,
            })
            const bytes = Buffer.from(JSON.stringify(body, null, indent))
            const found = read(bytes.toString(), wire)
            const edits = [
              ...planModelEdits(bytes, found, 'other "one"'),
              ...planOutputEdits(found, 7),
              ...planUsageEdits(found),
            ]
            const changed = applyEdits(bytes, edits)
            assert.deepEqual(JSON.parse(changed.toString()), toChanged(body, wire, key, max))
            const outside = edits.reduce(
              (sum, { from, to, text: put }) => sum + Buffer.byteLength(put) - (to - from),
              0,
            )
            assert.equal(changed.length, bytes.length + outside)
          },
        ),
        { numRuns: 300 },
      )
    })
  })
}

/** What the edits are to come to, on the values. */
function toChanged(body: Shape, wire: Wire, key: string, max: number | null | undefined): Shape {
  const inserted = {
    messages: 'max_tokens',
    chat: 'max_completion_tokens',
    responses: 'max_output_tokens',
    gemini: 'maxOutputTokens',
  }
  const bound = { [max === undefined ? inserted[wire] : key]: 7 }
  const model = wire === 'gemini' ? 'models/other "one"' : 'other "one"'
  const changed: Shape = { ...body, model }
  if (wire === 'gemini')
    changed['generationConfig'] = { ...(body['generationConfig'] as Shape), ...bound }
  else Object.assign(changed, bound)
  if (wire === 'chat') {
    const options = (body['stream_options'] ?? {}) as Shape
    changed['stream_options'] = { ...options, include_usage: true }
  }
  return changed
}
