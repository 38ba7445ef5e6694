import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { ApiError, type GenerateContentResponse, GoogleGenAI } from '@google/genai'
import { listen } from '#kernel/http.ts'
import { createLog } from '#kernel/log.ts'
import { Secret } from '#kernel/secret.ts'
import { type LoggedCall, openCallLog } from './call-log.ts'
import { createFaultSwitch, type FaultSwitch } from './planned-fault.ts'
import { rehearsalRoutes } from './routes.ts'

const key = 'sk-rehearsal-gemini'
const model = 'rehearsal/never-stops'
const look = 'echo "cwd=$PWD"; ls'
const said = 'I look around first.'
const declaration = {
  name: 'run_shell_command',
  parametersJsonSchema: {
    type: 'object',
    properties: { command: { type: 'string' } },
    required: ['command'],
  },
}
const tools = [{ functionDeclarations: [declaration] }]

describe("Google's SDK against the rehearsal model", () => {
  const owned = new AsyncDisposableStack()
  const folder = mkdtempSync(join(tmpdir(), 'rehearsal-gemini-'))
  const logFile = join(folder, 'calls.jsonl')
  let url = ''
  let faults: FaultSwitch
  let client: GoogleGenAI

  before(async () => {
    faults = createFaultSwitch({})
    const routes = rehearsalRoutes({
      key: new Secret(key),
      faults,
      log: owned.use(openCallLog(logFile)),
      now: () => new Date(),
      delayMs: 0,
      logsBodies: false,
    })
    url = owned.use(await listen(routes, 0, createLog('silent', process.stderr))).url.origin
    client = clientOf('v1beta')
  })
  beforeEach(() => faults.set({}))
  after(async () => {
    await owned.disposeAsync()
    rmSync(folder, { recursive: true })
  })

  const clientOf = (apiVersion: string, apiKey = key) =>
    new GoogleGenAI({
      apiKey,
      httpOptions: { baseUrl: url, apiVersion, retryOptions: { attempts: 1 } },
    })
  const lastLogged = () =>
    JSON.parse(readFileSync(logFile, 'utf8').trim().split('\n').at(-1)!) as LoggedCall
  const asked = { model, contents: 'Go.', config: { tools } }
  const first = { inputTokens: 1_000, cachedTokens: 900, outputTokens: 40 }
  const toUsage = ({ usageMetadata: usage }: GenerateContentResponse) => ({
    inputTokens: usage?.promptTokenCount,
    cachedTokens: usage?.cachedContentTokenCount,
    outputTokens: usage?.candidatesTokenCount,
  })
  const assertTurn = (response: GenerateContentResponse, text = response.text) => {
    assert.equal(text, said)
    assert.deepEqual(toUsage(response), first)
    assert.deepEqual(lastLogged().usage, first)
    assert.equal(response.responseId, lastLogged().id)
    assert.equal(lastLogged().wire, 'gemini')
  }
  const post = async (path: string, body: unknown, headers: Record<string, string> = {}) => {
    const init = { 'x-goog-api-key': key, 'content-type': 'application/json', ...headers }
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    return fetch(`${url}${path}`, { method: 'POST', headers: init, body: text })
  }

  for (const version of ['v1', 'v1beta']) {
    test(`a whole answer below /${version} holds words, a function call and usage`, async () => {
      const response = await clientOf(version).models.generateContent(asked)
      const { name, args } = response.functionCalls![0]!
      assert.deepEqual([name, args], ['run_shell_command', { command: look }])
      assertTurn(response)
    })
  }

  test('a Gemini stream adds up to the same answer, with its reason at the end', async () => {
    let text = ''
    let last: GenerateContentResponse | undefined
    const calls = []
    for await (const chunk of await client.models.generateContentStream(asked)) {
      text += chunk.text ?? ''
      calls.push(...(chunk.functionCalls ?? []))
      last = chunk
    }
    assert.deepEqual([calls.length, calls[0]!.args], [1, { command: look }])
    assert.equal(last!.candidates![0]!.finishReason, 'STOP')
    assertTurn(last!, text)
    assert.equal(lastLogged().stream, true)
  })

  test('a stream that nobody wants as events is a JSON array', async () => {
    const path = `/v1beta/models/${model}:streamGenerateContent`
    const response = await post(path, { contents: [{ parts: [{ text: 'Go.' }] }], tools })
    assert.match(response.headers.get('content-type')!, /^application\/json/)
    const list = (await response.json()) as GenerateContentResponse[]
    assert.ok(list.length >= 3)
    assert.deepEqual(toUsage(list.at(-1)!), first)
  })

  for (const [title, id] of [
    ['with the id of its call', true],
    ['without ids', false],
  ] as const) {
    test(`a function response ${title} brings the next step`, async () => {
      const answer = await client.models.generateContent(asked)
      const call = answer.functionCalls![0]!
      const own = id ? { id: call.id! } : {}
      const output = { name: call.name!, response: { output: 'cwd=/work\n' }, ...own }
      const next = await client.models.generateContent({
        ...asked,
        contents: [
          { role: 'user', parts: [{ text: 'Go.' }] },
          {
            role: 'model',
            parts: [{ functionCall: { name: call.name!, args: call.args!, ...own } }],
          },
          { role: 'user', parts: [{ functionResponse: output }] },
        ],
      })
      assert.equal(next.text, 'One more look.')
      assert.deepEqual([toUsage(next).inputTokens, lastLogged().results], [1_100, 1])
    })
  }

  test('a side question of a router gets JSON of the schema it asks for', async () => {
    const responseJsonSchema = {
      type: 'object',
      properties: {
        reasoning: { type: 'string' },
        model_choice: { type: 'string', enum: ['flash', 'pro'] },
      },
      required: ['reasoning', 'model_choice'],
    }
    const config = { responseMimeType: 'application/json', responseJsonSchema }
    const { text } = await client.models.generateContent({ model, contents: 'Which?', config })
    assert.deepEqual(JSON.parse(text!), { reasoning: 'rehearsal', model_choice: 'flash' })
  })

  test("a schema in the vendor's own words is read as well", async () => {
    const responseSchema = { type: 'OBJECT', properties: { ok: { type: 'BOOLEAN' } } }
    const body = { contents: [{ parts: [{ text: 'Ok?' }] }], generationConfig: { responseSchema } }
    const response = await post(`/v1beta/models/${model}:generateContent`, body)
    const answer = (await response.json()) as GenerateContentResponse
    assert.equal(answer.candidates![0]!.content!.parts![0]!.text, '{"ok":false}')
  })

  test('tokens are counted and models listed on the Gemini wire', async () => {
    assert.equal((await client.models.countTokens({ model, contents: 'Go.' })).totalTokens, 1_000)
    const names: string[] = []
    for await (const { name } of await client.models.list()) names.push(name!)
    assert.ok(names.includes('models/rehearsal/fix-adder'))
  })

  test('a wrong key is UNAUTHENTICATED', async () => {
    await assert.rejects(clientOf('v1beta', 'sk-other').models.generateContent(asked), (error) => {
      assert.ok(error instanceof ApiError)
      assert.equal(error.status, 401)
      assert.match(error.message, /"status":"UNAUTHENTICATED"/)
      return true
    })
  })

  const go = { role: 'user', parts: [{ text: 'Go.' }] }
  const call = { role: 'model', parts: [{ functionCall: { name: 'x', args: {} } }] }
  const result = { role: 'user', parts: [{ functionResponse: { name: 'x', response: {} } }] }
  for (const [title, path, body, expected] of [
    ['an unknown script', 'gemini-pro', { contents: [go] }, /404.*NOT_FOUND/],
    ['nothing said', model, { contents: [] }, /400.*INVALID_ARGUMENT/],
    ['no parts', model, { contents: [{ role: 'user', parts: [] }] }, /400.*parts/],
    ['an unknown role', model, { contents: [{ ...go, role: 'assistant' }] }, /400.*role/],
    ['a call left open', model, { contents: [go, call] }, /400.*has no result/],
    ['a result of no call', model, { contents: [go, result] }, /400.*x without a call/],
    ['no JSON at all', model, '{', /400.*INVALID_ARGUMENT/],
  ] as const) {
    test(`a Gemini request with ${title} is refused`, async () => {
      const response = await post(`/v1beta/models/${path}:generateContent`, body)
      assert.match(`${response.status} ${await response.text()}`, expected)
    })
  }

  test('a planned status has the shape that Google gives it', async () => {
    faults.set({ status: 403, message: 'Budget spent.' })
    const response = await post(`/v1beta/models/${model}:generateContent`, { contents: [go] })
    assert.equal(response.status, 403)
    const expected = { code: 403, message: 'Budget spent.', status: 'PERMISSION_DENIED' }
    assert.deepEqual(await response.json(), { error: expected })
  })

  for (const query of ['', '?alt=sse']) {
    test(`a planned cut breaks a Gemini stream ${query || 'without a query'}`, async () => {
      faults.set({ cutAfter: -1 })
      const path = `/v1beta/models/${model}:streamGenerateContent${query}`
      await assert.rejects((await post(path, { contents: [go] })).text())
      assert.deepEqual([lastLogged().end, lastLogged().usageSent], ['cut', false])
    })
  }

  test('a planned early end leaves a Gemini stream without its reason', async () => {
    faults.set({ endAfter: -1 })
    const path = `/v1beta/models/${model}:streamGenerateContent`
    const list = await (await post(path, { contents: [go] })).text()
    assert.ok(Array.isArray(JSON.parse(list)))
    assert.doesNotMatch(list, /finishReason/)
    assert.equal(lastLogged().end, 'ended-early')
  })
})
